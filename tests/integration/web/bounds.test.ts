import { SingleThreadedAgentRuntime } from "troupe";
import { ManualClock } from "troupe/testing";
import { createGateway } from "troupe/web";
import { describe, expect, test } from "vitest";
import { allEvents, eventsOf, problemOf } from "../../contract/gateway/world.ts";
import { as, byToken, openStage } from "./web-stage.ts";

const poet = "/agents/poet/default";
const sea = { type: "AskPoem", message: { topic: "sea" } };
const waits = { type: "AskPoem", message: { topic: "waits" } };

describe("bounds of a principal", () => {
  test("open streams beyond the bound are 429, others keep theirs, and a stream that ends frees its place", async () => {
    await using opened = await openStage({ authenticate: byToken, limits: { maxStreams: 1 } });
    const { stage } = opened;
    const open = (name: string) => stage.ask("POST", `${poet}/streams`, { body: waits, headers: as(name) });
    const first = await open("ada");
    const second = await open("ada");
    expect(await problemOf(second)).toEqual([429, "overloaded"]);
    expect(second.headers.get("retry-after")).toBe("1");
    expect((await open("bob")).status).toBe(200);
    await first.body?.cancel();
    expect((await open("ada")).status).toBe(200);
  });

  test("runs beyond the bound are 429, and a run that ends frees its place", async () => {
    await using opened = await openStage({ authenticate: byToken, limits: { maxRuns: 1 } });
    const { stage } = opened;
    const start = (name: string, id: string) =>
      stage.ask("PUT", `${poet}/runs/${id}`, { body: waits, headers: as(name) });
    expect((await start("ada", "a")).status).toBe(201);
    expect((await start("ada", "a")).status).toBe(200);
    expect(await problemOf(await start("ada", "b"))).toEqual([429, "overloaded"]);
    expect((await start("bob", "c")).status).toBe(201);
    const ended = await stage.ask("GET", `${poet}/runs/a`, { headers: as("ada") });
    await stage.ask("DELETE", `${poet}/runs/a`, { headers: as("ada") });
    await allEvents(ended);
    expect((await start("ada", "b")).status).toBe(201);
  });

  test("requests at once beyond the bound are 429", async () => {
    await using opened = await openStage({ limits: { maxRequests: 1 } });
    const { stage } = opened;
    const first = stage.ask("POST", `${poet}/calls`, { body: waits });
    await stage.poetry.hasBegun.take();
    expect((await stage.ask("POST", `${poet}/calls`, { body: sea })).status).toBe(429);
    stage.poetry.gate.open();
    expect((await first).status).toBe(200);
  });
});

describe("bodies of all clients together", () => {
  /** A body of which some bytes have come. */
  const halfBody = (bytes: number) => {
    let end = (): void => undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`{"type":"AskPoem","message":{"topic":"${"x".repeat(bytes)}`));
        end = () => {
          controller.enqueue(new TextEncoder().encode('"}}'));
          controller.close();
        };
      },
    });
    return { body, end: () => end() };
  };

  test("have a bound, of which one principal leaves space for others, and an answer frees them", async () => {
    const limits = { maxBodyBytes: 10_000, maxTotalBodyBytes: 30_000 };
    await using opened = await openStage({ authenticate: byToken, limits });
    const { stage } = opened;
    const send = (name: string, body: ReadableStream<Uint8Array> | string) => {
      const headers = { ...as(name), "content-type": "application/json" };
      const given = { method: "POST", headers, body, ...(typeof body === "string" ? {} : { duplex: "half" as const }) };
      return stage.gateway.fetch(new Request(`http://127.0.0.1:8080${poet}/calls`, given));
    };
    const long = JSON.stringify({ type: "AskPoem", message: { topic: "x".repeat(9_000) } });
    const slow = [halfBody(9_000), halfBody(9_000)];
    const asked = slow.map(({ body }) => send("ada", body));
    await new Promise(setImmediate);
    const third = await send("ada", long);
    expect([third.headers.get("connection"), third.headers.get("retry-after")]).toEqual(["close", "1"]);
    expect(await problemOf(third)).toEqual([503, "overloaded"]);
    expect((await send("bob", long)).status).toBe(200);
    for (const { end } of slow) end();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await send("ada", long)).status).toBe(200);
  });

  test("hold the message of a stream until it ends", async () => {
    const limits = { maxBodyBytes: 10_000, maxTotalBodyBytes: 20_000 };
    await using opened = await openStage({ limits });
    const { stage } = opened;
    const ask = (what: string) => stage.ask("POST", `${poet}/${what}`, { body: { ...waits, more: "x".repeat(9_000) } });
    const stream = await ask("streams");
    expect((await ask("streams")).status).toBe(200);
    expect((await ask("streams")).status).toBe(503);
    await stream.body?.cancel();
    expect((await ask("streams")).status).toBe(200);
  });

  test("have a bound of at least two bodies", () => {
    const limits = { maxBodyBytes: 10_000, maxTotalBodyBytes: 19_999 };
    const runtime = new SingleThreadedAgentRuntime();
    expect(() => createGateway(runtime, { limits })).toThrow("at least twice maxBodyBytes, 20000");
  });
});

describe("look-ups of senders", () => {
  test("are shared between addresses: one that waits for all it may have keeps no other out", async () => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const authenticate = async (request: Request) => {
      if (request.headers.has("authorization")) return { name: "ada" };
      await answered;
      return undefined;
    };
    await using opened = await openStage({ authenticate });
    const { gateway } = opened.stage;
    const ask = (remoteAddress: string, headers = {}) =>
      gateway.fetch(new Request("http://127.0.0.1:8080/openapi.json", { headers }), { remoteAddress });
    const strangers = Array.from({ length: 1_000 }, (_, n) => ask(`2001:db8::${n.toString(16)}`));
    expect((await ask("2001:db8:1::1", as("ada"))).status).toBe(200);
    answer();
    const statuses = (await Promise.all(strangers)).map(({ status }) => status);
    expect([401, 503].map((status) => statuses.filter((one) => one === status).length)).toEqual([667, 333]);
  });
});

describe("slow readers", () => {
  test("a quiet stream has a comment every 15 s, and a reader that takes nothing for a minute is cut off", async () => {
    const clock = new ManualClock();
    await using opened = await openStage({ clock });
    const { stage } = opened;
    const response = await stage.ask("POST", `${poet}/streams`, { body: waits });
    const reader = response.body?.getReader();
    await reader?.read();
    const next = reader?.read();
    await stage.poetry.hasBegun.take();
    clock.advance(15_000);
    expect(new TextDecoder().decode((await next)?.value)).toBe(":\n\n");
    clock.advance(75_000);
    await expect(reader?.read()).rejects.toMatchObject({ code: "timed-out" });
    expect(await stage.poetry.ended.take()).toBe("cancelled");
  });

  test("a subscriber that events are too fast for gets those that wait, then an error, and holds no more than its bound", async () => {
    await using opened = await openStage({ limits: { maxQueuedBytes: 1_024 } });
    const { stage } = opened;
    const slow = await stage.ask("GET", "/topics/news/tech");
    const quick = await stage.ask("GET", "/topics/news/tech");
    const events = eventsOf(quick);
    for (let n = 0; n < 5; n += 1) {
      const read = events.next();
      await stage.ask("POST", "/topics/news/tech", { body: { type: "News", message: { text: `news ${n}` } } });
      expect((await read).value?.data).toEqual({ type: "News", message: { text: `news ${n}` } });
    }
    await events.return();
    const seen = await allEvents(slow);
    expect(seen.at(-1)).toContain('"code":"overloaded"');
    expect(seen.length).toBeLessThan(5);
  });

  test("close ends open streams, and refuses what comes after", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    const response = await stage.ask("GET", "/topics/news/tech");
    await stage.gateway.close();
    expect(await allEvents(response)).toEqual([]);
    expect(await problemOf(await stage.ask("GET", "/openapi.json"))).toEqual([503, "shutting-down"]);
  });
});
