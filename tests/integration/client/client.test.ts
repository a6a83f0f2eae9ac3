import type { ClientOptions } from "troupe/client";
import { createClient } from "troupe/client";
import { describe, expect, test } from "vitest";
import type { AskPoem, Forget, News, Stage } from "../../contract/gateway/world.ts";
import { as, byToken, openStage } from "../web/web-stage.ts";

const poet = "poet/default";

/** Sends requests straight to a gateway. `cut`: ends the body of an answer after so many events, as a lost connection does. */
function fetchTo(stage: Stage, cut: (path: string) => number | undefined = () => undefined): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const response = await stage.gateway.fetch(request, { remoteAddress: "127.0.0.1" });
    request.signal.throwIfAborted();
    const events = cut(new URL(request.url).pathname);
    if (events === undefined || response.body === null) return response;
    return new Response(cutAfter(response.body, events), response);
  };
}

function cutAfter(body: ReadableStream<Uint8Array>, events: number): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let left = events;
  return new ReadableStream({
    async pull(controller) {
      if (left === 0) {
        await reader.cancel();
        return controller.error(new TypeError("network error"));
      }
      left -= 1;
      const { value } = await reader.read();
      if (value === undefined) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

const clientOf = (stage: Stage, options: Partial<ClientOptions> = {}) =>
  createClient({ url: "http://127.0.0.1:8080", fetch: fetchTo(stage), ...options });

async function readAll<T>(values: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

describe("a client", () => {
  test("calls an agent, and gets undefined for an answer without a value", async () => {
    await using opened = await openStage();
    const client = clientOf(opened.stage);
    expect(await client.call<typeof AskPoem>("AskPoem", { topic: "sea" }, poet)).toEqual({ text: "on sea" });
    expect(await client.call<typeof Forget>("Forget", { topic: "sea" }, "poet/a/b ü")).toBeUndefined();
  });

  test("reads a stream and its answer, with and without a loop", async () => {
    await using opened = await openStage();
    const client = clientOf(opened.stage);
    const stream = client.stream<typeof AskPoem>("AskPoem", { topic: "sea" }, poet);
    expect(await readAll(stream)).toEqual([{ text: "sea 1" }, { text: "sea 2\nindented" }]);
    expect(await stream.answer).toEqual({ text: "on sea" });
    expect(await client.stream<typeof AskPoem>("AskPoem", { topic: "sky" }, poet).answer).toEqual({ text: "on sky" });
    expect(opened.stage.poetry.keys).toHaveLength(2);
  });

  test("ends the handler of a stream when its loop is left", async () => {
    await using opened = await openStage();
    const stream = clientOf(opened.stage).stream<typeof AskPoem>("AskPoem", { topic: "waits" }, poet);
    for await (const _line of stream) break;
    expect(await opened.stage.poetry.ended.take()).toBe("cancelled");
    await expect(stream.answer).rejects.toThrow("left before the answer");
  });

  test("throws the code of a problem, in place of an answer and at the end of a stream", async () => {
    await using opened = await openStage();
    const client = clientOf(opened.stage);
    const failing = client.call<typeof AskPoem>("AskPoem", { topic: "fails" }, poet);
    await expect(failing).rejects.toMatchObject({ name: "ClientError", code: "handler-failed", status: 502 });
    const stream = client.stream<typeof AskPoem>("AskPoem", { topic: "fails" }, poet);
    await expect(readAll(stream)).rejects.toMatchObject({ code: "handler-failed" });
    await expect(stream.answer).rejects.toMatchObject({ code: "handler-failed" });
    await expect(client.call<typeof AskPoem>("AskPoem", { topic: "x" }, "none/x")).rejects.toMatchObject({
      status: 404,
    });
  });

  test("sends the headers that it is given, also by a function that takes time", async () => {
    await using opened = await openStage({ authenticate: byToken });
    for (const headers of [as("ada"), () => as("ada"), async () => as("ada")]) {
      const client = clientOf(opened.stage, { headers });
      expect(await client.call<typeof AskPoem>("AskPoem", { topic: "sea" }, poet)).toEqual({ text: "on sea" });
    }
    const unknown = clientOf(opened.stage).call<typeof AskPoem>("AskPoem", { topic: "sea" }, poet);
    await expect(unknown).rejects.toMatchObject({ code: "not-authorized", status: 401 });
  });

  test("does not send a call again, and ends it by its signal", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    let sent = 0;
    const lost: typeof fetch = () => {
      sent += 1;
      return Promise.reject(new TypeError("network error"));
    };
    const call = clientOf(stage, { fetch: lost }).call<typeof AskPoem>("AskPoem", { topic: "sea" }, poet);
    await expect(call).rejects.toMatchObject({ code: "disconnected", status: 0 });
    expect(sent).toBe(1);
    const leaves = new AbortController();
    const waiting = clientOf(stage).call<typeof AskPoem>("AskPoem", { topic: "waits" }, poet, {
      signal: leaves.signal,
    });
    await stage.poetry.hasBegun.take();
    leaves.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    expect(await stage.poetry.ended.take()).toBe("cancelled");
  });
});

describe("a run of a client", () => {
  test("reads on by itself where a lost connection has cut it: each chunk once, then the answer", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    let reads = 0;
    const fetch = fetchTo(stage, (path) => {
      if (!path.includes("/runs/")) return undefined;
      reads += 1;
      return reads < 4 ? 1 : undefined;
    });
    const client = clientOf(stage, { fetch });
    const run = await client.run<typeof AskPoem>("AskPoem", { topic: "sea" }, poet, { id: "one" });
    expect(await readAll(run)).toEqual([{ text: "sea 1" }, { text: "sea 2\nindented" }]);
    expect(await run.answer).toEqual({ text: "on sea" });
    expect(reads).toBeGreaterThan(2);
  });

  test("is started once, although its start got no answer", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    let sent = 0;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const response = await fetchTo(stage)(input, init);
      sent += 1;
      if (sent === 1) throw new TypeError("network error");
      return response;
    };
    const run = await clientOf(stage, { fetch }).run<typeof AskPoem>("AskPoem", { topic: "sea" }, poet);
    expect(await run.answer).toEqual({ text: "on sea" });
    expect(stage.poetry.keys).toHaveLength(1);
  });

  test("is found again by its id, tells how far it is, and ends when it is cancelled", async () => {
    await using opened = await openStage();
    const client = clientOf(opened.stage);
    const { id } = await client.run<typeof AskPoem>("AskPoem", { topic: "waits" }, poet);
    const run = client.attach<typeof AskPoem>(poet, id);
    for await (const _line of run) break;
    expect(await run.status()).toEqual({ status: "working", first: 0, next: 1 });
    await run.cancel();
    await expect(readAll(run)).rejects.toMatchObject({ code: "cancelled" });
    expect((await run.status()).status).toBe("cancelled");
  });

  test("gives up when the gateway can't be reached for too long, and at once when the run is not there", async () => {
    await using opened = await openStage();
    const lost: typeof fetch = () => Promise.reject(new TypeError("network error"));
    const away = clientOf(opened.stage, { fetch: lost, retryMs: 0 }).attach<typeof AskPoem>(poet, "one");
    await expect(readAll(away)).rejects.toMatchObject({ code: "disconnected" });
    const none = clientOf(opened.stage).attach<typeof AskPoem>(poet, "none");
    await expect(readAll(none)).rejects.toMatchObject({ code: "not-found", status: 404 });
  });

  test("ends its wait for another attempt by its signal", async () => {
    await using opened = await openStage();
    const leaves = new AbortController();
    const lost: typeof fetch = () => {
      queueMicrotask(() => leaves.abort(new Error("left")));
      return Promise.reject(new TypeError("network error"));
    };
    const run = clientOf(opened.stage, { fetch: lost }).attach<typeof AskPoem>(poet, "one", { signal: leaves.signal });
    await expect(readAll(run)).rejects.toThrow("left");
  });
});

describe("a subscription of a client", () => {
  test("knows when its subscription is there, so that it misses no event that comes later", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    let isThere: () => void = () => {};
    const there = new Promise<void>((resolve) => {
      isThere = resolve;
    });
    const client = clientOf(stage);
    const events = client.subscribe<typeof News>("news/tech", { onConnect: isThere })[Symbol.asyncIterator]();
    const first = events.next();
    await there;
    await client.publish<typeof News>("News", { text: "one" }, "news/tech");
    expect((await first).value).toEqual({ type: "News", event: { text: "one" } });
    await events.return?.(undefined);
  });

  test("gets events, comes back after a lost connection, says so, and ends when its loop is left", async () => {
    await using opened = await openStage();
    const { stage } = opened;
    let reads = 0;
    // The first connection has its first comment and one event.
    const fetch = fetchTo(stage, (path) => {
      if (!path.startsWith("/topics/")) return undefined;
      reads += 1;
      return reads === 1 ? 2 : undefined;
    });
    const client = clientOf(stage, { fetch });
    const publish = (text: string) => clientOf(stage).publish<typeof News>("News", { text }, "news/tech");
    let hasReconnected: () => void = () => {};
    const reconnected = new Promise<void>((resolve) => {
      hasReconnected = resolve;
    });
    let connections = 0;
    const onConnect = () => {
      connections += 1;
    };
    const options = { onConnect, onReconnect: hasReconnected };
    const events = client.subscribe<typeof News>("news/tech", options)[Symbol.asyncIterator]();
    const first = events.next();
    // The gateway has subscribed when its first comment has come; publishing again does no harm before that.
    let isThere = false;
    void first.then(() => {
      isThere = true;
    });
    while (!isThere) await publish("one");
    expect((await first).value).toEqual({ type: "News", event: { text: "one" } });
    const second = events.next();
    await reconnected;
    expect(connections).toBe(2);
    await publish("two");
    expect((await second).value).toEqual({ type: "News", event: { text: "two" } });
    await events.return?.(undefined);
  });
});
