import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TopicId } from "troupe";
import { ManualClock } from "troupe/testing";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { handlerWithin } from "../../../src/web/node-handler.ts";
import { UnreadAnswers } from "../../../src/web/unread-answers.ts";
import { local, News } from "../../contract/gateway/world.ts";
import { type Serving, sendRaw, serve } from "./served.ts";
import { openStage } from "./web-stage.ts";

setFlagsFromString("--expose-gc");
// The flag adds the function, which collects at once.
const collect = runInNewContext("gc") as () => void;

const poet = "/agents/poet/default";
const sea = JSON.stringify({ type: "AskPoem", message: { topic: "sea" } });
const json = "Content-Type: application/json\r\n";

afterEach(() => {
  vi.useRealTimers();
});

/** Opens a connection, sends bytes, and reads nothing. */
async function sendAndReadNothing(port: number, text: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.pause();
  // The server ends it.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

/** Resolves when the program has nothing to do at once, and a condition holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

describe("a stranger who reads nothing", () => {
  /** Subscribes to a topic, and reads none of its events. Resolves to the connection at the server when its buffers are full. */
  const subscribeAndReadNothing = async ({ server, port, stage }: Serving): Promise<Socket> => {
    const accepted = once(server, "connection");
    await sendAndReadNothing(port, "GET /topics/news/tech HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    // The event has the connection as its one argument.
    const [socket] = (await accepted) as [Socket];
    const news = News({ text: "x".repeat(200_000) });
    // The buffers of the system take some megabytes first.
    while (!socket.writableNeedDrain) {
      await stage.world.agents.publishMessage(news, new TopicId("news", "tech"));
      await new Promise(setImmediate);
    }
    return socket;
  };

  /** A server whose answers are larger than all buffers of the system. */
  const serveMuch = async (
    unread = new UnreadAnswers(),
  ): Promise<{ readonly server: Server; readonly port: number }> => {
    const server = createServer(handlerWithin({ fetch: async () => new Response("x".repeat(12_000_000)) }, unread));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A server that listens on TCP has such an address.
    const { port } = server.address() as AddressInfo;
    return { server, port };
  };
  const askForMuch = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

  test("of a topic loses the connection, and the server keeps nothing for it", async () => {
    await using serving = await serve();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const socket = await subscribeAndReadNothing(serving);
    const closed = once(socket, "close");
    await until(() => vi.getTimerCount() > 0);
    vi.advanceTimersByTime(60_000);
    await closed;
  });

  test("of a stream that the gateway ends loses the connection at once", async () => {
    const clock = new ManualClock();
    await using serving = await serve({ clock });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const socket = await subscribeAndReadNothing(serving);
    const closed = once(socket, "close");
    await until(() => vi.getTimerCount() > 0);
    clock.advance(75_000);
    await closed;
  });

  test("of a whole answer loses the connection after a minute", async () => {
    const { server, port } = await serveMuch();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const accepted = once(server, "connection");
    await sendAndReadNothing(port, askForMuch);
    // The event has the connection as its one argument.
    const [socket] = (await accepted) as [Socket];
    await until(() => socket.writableNeedDrain && vi.getTimerCount() > 0);
    const closed = once(socket, "close");
    vi.advanceTimersByTime(60_000);
    await closed;
  });

  test("of much loses the connection that has waited longest when too many bytes wait for all clients together", async () => {
    const unread = new UnreadAnswers(1_000_000);
    const { server, port } = await serveMuch(unread);
    const accepted = once(server, "connection");
    await sendAndReadNothing(port, askForMuch);
    // The event has the connection as its one argument.
    const [first] = (await accepted) as [Socket];
    await until(() => unread.bytes > 1_000_000);
    const closed = once(first, "close");
    await sendAndReadNothing(port, askForMuch);
    await closed;
  });
});

describe("a stranger who sends slowly", () => {
  test("the beginning of a body gets 408 after a minute, and its place is free", async () => {
    const clock = new ManualClock();
    await using opened = await openStage({ clock, limits: { maxRequests: 1 } });
    const { stage } = opened;
    const body = new ReadableStream(
      {
        start(controller) {
          controller.enqueue(new TextEncoder().encode("{"));
        },
      },
      { highWaterMark: 0 },
    );
    const given = { method: "POST", body, duplex: "half" as const, headers: { "content-type": "application/json" } };
    const slow = stage.gateway.fetch(new Request(`http://127.0.0.1:8080${poet}/calls`, given), local);
    await new Promise(setImmediate);
    clock.advance(60_000);
    const { status, headers } = await slow;
    expect([status, headers.get("connection")]).toEqual([408, "close"]);
    expect((await stage.ask("POST", `${poet}/calls`, { body: JSON.parse(sea) })).status).toBe(200);
  });
});

test("a body in pieces of one byte is one body, and costs no more than its bytes while it comes", async () => {
  await using opened = await openStage();
  const topic = "sea".repeat(16_000);
  const bytes = new TextEncoder().encode(JSON.stringify({ type: "AskPoem", message: { topic } }));
  const heaps: number[] = [];
  let at = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (at === bytes.length) return controller.close();
      if (at === 1_000 || at === bytes.length - 1) {
        collect();
        heaps.push(process.memoryUsage().heapUsed);
      }
      controller.enqueue(bytes.subarray(at, at + 1));
      at += 1;
    },
  });
  const given = { method: "POST", body, duplex: "half" as const, headers: { "content-type": "application/json" } };
  const response = await opened.stage.gateway.fetch(new Request(`http://127.0.0.1:8080${poet}/calls`, given), local);
  expect(await response.json()).toEqual({ text: `on ${topic}` });
  // 47,000 pieces that are kept, each for itself, take more than 4 MB.
  const [before = 0, after = Number.POSITIVE_INFINITY] = heaps;
  expect(after - before).toBeLessThan(2_000_000);
});

test("a slow body over a real connection gets the 408 before the connection closes", async () => {
  const clock = new ManualClock();
  await using serving = await serve({ clock });
  const asked = once(serving.server, "request");
  const head = `POST ${poet}/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n${json}Content-Length: 100\r\n\r\n{`;
  const answer = sendRaw(serving.port, head);
  await asked;
  await new Promise(setImmediate);
  clock.advance(60_000);
  expect(await answer).toBe("HTTP/1.1 408 Request Timeout");
});

describe("a stranger with a raw socket", () => {
  const post = (body: string, more = "") =>
    `POST ${poet}/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n${json}${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

  test("can't put a path, a query or a fragment into the name of the host", async () => {
    await using serving = await serve();
    for (const host of [
      "127.0.0.1/openapi.json?",
      "127.0.0.1/openapi.json#",
      "127.0.0.1\\openapi.json?",
      "127.0.0.1?",
    ]) {
      const line = await sendRaw(serving.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect(line, host).toBe("HTTP/1.1 400 Bad Request");
    }
  });

  test("gets an answer for each odd request, and the gateway goes on", async () => {
    await using serving = await serve();
    const { port } = serving;
    const ask = (text: string) => sendRaw(port, text);
    const get = (target: string, more = "") => ask(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`);
    const deep = `{"type":"AskPoem","message":{"topic":"sea","more":${"[".repeat(200_000)}${"]".repeat(200_000)}}}`;
    const chunked = (body: string) =>
      `POST ${poet}/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n${json}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n`;
    const told = {
      oldHttp: await ask("GET /openapi.json HTTP/1.0\r\n\r\n"),
      noHost: await ask("GET /openapi.json HTTP/1.1\r\n\r\n"),
      otherAddress: await get("http://evil.example/openapi.json"),
      encodedDots: await get("/agents/%2e%2e/openapi.json"),
      encodedSlash: await get("/agents%2Fpoet/default/calls"),
      zero: await ask(
        `POST /agents/poet/%00/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n${json}Content-Length: ${sea.length}\r\n\r\n${sea}`,
      ),
      hugeHeader: await get("/openapi.json", `x-much: ${"x".repeat(70_000)}\r\n`),
      trace: await ask("TRACE /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
      options: await ask("OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
      head: await ask("HEAD /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
      upgrade: await get("/openapi.json", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
      bodyOfGet: await get("/openapi.json", "Content-Length: 5\r\n"),
      prototype: await ask(post('{"__proto__":{"type":"AskPoem","message":{"topic":"sea"}}}')),
      protoInMessage: await ask(post('{"type":"AskPoem","message":{"topic":"sea","__proto__":{"x":1}}}')),
      twice: await ask(post('{"type":"Secret","type":"AskPoem","message":{"topic":"sea"}}')),
      deep: await ask(post(deep)),
      notUtf8: await ask(`POST ${poet}/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n${json}Content-Length: 1\r\n\r\n\xff`),
      chunkedTooLong: await ask(chunked(`"${"x".repeat(1_100_000)}"`)),
      lengthAndChunked: await ask(
        `POST ${poet}/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n${json}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      ),
    };
    const statuses = Object.fromEntries(Object.entries(told).map(([name, line]) => [name, Number(line.split(" ")[1])]));
    expect(statuses).toEqual({
      ...{ oldHttp: 200, noHost: 400, otherAddress: 404, encodedDots: 200, encodedSlash: 404, zero: 400 },
      ...{ hugeHeader: 431, trace: 400, options: 403, head: 200, upgrade: 200, bodyOfGet: 200 },
      ...{ prototype: 400, protoInMessage: 200, twice: 200, deep: 400, notUtf8: 400 },
      ...{ chunkedTooLong: 413, lengthAndChunked: 400 },
    });
    expect("x" in {}).toBe(false);
    const cut = connect(port, "127.0.0.1");
    await once(cut, "connect");
    cut.write(`POST ${poet}/calls HTTP/1.1\r\nHost: 127.0.0.1\r\n${json}Content-Length: 100\r\n\r\n{`);
    cut.destroy();
    expect(await ask(post(sea))).toBe("HTTP/1.1 200 OK");
  });
});
