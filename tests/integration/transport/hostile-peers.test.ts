import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { testService } from "../../../src/testing/contracts/link/test-service.ts";
import { StreamRecorder } from "../../../src/testing/contracts/link.ts";
import {
  type GrpcDialerOptions,
  grpcDialer,
  grpcListener,
  type LinkService,
  StatusCode,
} from "../../../src/transport/index.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function listen(service: Partial<LinkService> = {}): Promise<string> {
  const listening = await grpcListener({ maxReceiveMessageBytes: 1000 }).listen("127.0.0.1:0", [testService(service)]);
  cleanUps.push(() => listening.close());
  return listening.address;
}

/** A server of raw TCP connections. */
async function listenRaw(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
}

interface HttpAnswer {
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
}

/** One HTTP/2 request with any headers and bytes; resolves when the stream has closed. */
async function request(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<HttpAnswer> {
  const stream = session.request({
    ":method": "POST",
    ":path": "/agents.AgentRpc/Echo",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const answer: { headers: Record<string, unknown>; trailers: Record<string, unknown> } = { headers: {}, trailers: {} };
  stream.on("response", (received) => Object.assign(answer.headers, received));
  stream.on("trailers", (received) => Object.assign(answer.trailers, received));
  stream.on("error", () => undefined);
  stream.resume();
  stream.end(body);
  await once(stream, "close");
  return answer;
}

async function openSession(address: string): Promise<ClientHttp2Session> {
  const session = connectHttp2(`http://${address}`);
  cleanUps.push(() => session.destroy());
  await once(session, "connect");
  return session;
}

const MESSAGE = Uint8Array.of(0, 0, 0, 0, 1, 42);

describe("our server", () => {
  it("answers what is not gRPC with HTTP statuses", async () => {
    const session = await openSession(await listen());
    expect((await request(session, { "content-type": "application/json" }, MESSAGE)).headers[":status"]).toBe(415);
    expect((await request(session, { "content-type": "application/grpc-web" }, MESSAGE)).headers[":status"]).toBe(415);
    expect((await request(session, { ":method": "PUT" }, MESSAGE)).headers[":status"]).toBe(405);
  });

  it.each([
    ["an unknown path", { ":path": "/nothing" }, MESSAGE, StatusCode.unimplemented],
    ["an unknown encoding", { "grpc-encoding": "snappy" }, MESSAGE, StatusCode.unimplemented],
    ["a malformed timeout", { "grpc-timeout": "soon" }, MESSAGE, StatusCode.invalidArgument],
    ["a timeout of 0", { "grpc-timeout": "0m" }, MESSAGE, StatusCode.deadlineExceeded],
    ["a compressed message without an encoding", {}, Uint8Array.of(1, 0, 0, 0, 1, 42), StatusCode.internal],
    ["a broken compressed message", { "grpc-encoding": "gzip" }, Uint8Array.of(1, 0, 0, 0, 1, 42), StatusCode.internal],
    ["an unknown flag", {}, Uint8Array.of(9, 0, 0, 0, 1, 42), StatusCode.internal],
    ["a truncated message", {}, Uint8Array.of(0, 0, 0, 0, 9, 42), StatusCode.internal],
    ["a truncated prefix", {}, Uint8Array.of(0, 0), StatusCode.internal],
    ["no message", {}, new Uint8Array(0), StatusCode.unimplemented],
    ["two messages", {}, Buffer.concat([MESSAGE, MESSAGE]), StatusCode.unimplemented],
    ["a message of 4 GiB, announced", {}, Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff), StatusCode.resourceExhausted],
  ])("refuses a unary call with %s by a status", async (_what, headers, body, code) => {
    const session = await openSession(await listen());
    const answer = await request(session, headers, body);
    expect(answer.headers[":status"]).toBe(200);
    expect({ ...answer.headers, ...answer.trailers }["grpc-status"]).toBe(String(code));
    expect((await request(session, {}, MESSAGE)).trailers["grpc-status"]).toBe("0");
  });

  it("reports bad frames on a stream one by one, and a truncated last one before the half-close", async () => {
    const server = new StreamRecorder();
    const session = await openSession(await listen({ stream: () => server }));
    const bad = Buffer.concat([
      Uint8Array.of(1, 0, 0, 0, 1, 42),
      MESSAGE,
      Uint8Array.of(9, 0, 0, 0, 1, 42),
      MESSAGE,
      Uint8Array.of(0, 0),
    ]);
    const answer = request(session, { ":path": "/agents.AgentRpc/OpenChannel" }, bad);
    await server.has("half-close");
    expect(server.events.map((event) => event.on)).toEqual([
      "open",
      "bad-frame",
      "frame",
      "bad-frame",
      "frame",
      "bad-frame",
      "half-close",
    ]);
    server.stream.end();
    expect((await answer).trailers["grpc-status"]).toBe("0");
  });

  it.each([
    ["an HTTP/1 request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["garbage", "\x16\x03\x01 garbage \x00\xff".repeat(50)],
    ["a half HTTP/2 preface", "PRI * HTTP/2.0\r\n"],
    ["a preface and a broken frame", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x05\x04\x00\x00\x00\x00\x01hello"],
  ])("survives %s, and a peer that vanishes after it", async (_what, text) => {
    const address = await listen();
    const socket = connect(Number(address.split(":")[1]), "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(Buffer.from(text, "latin1"));
    socket.resetAndDestroy();
    const link = grpcDialer().dial(address);
    cleanUps.push(() => link.close());
    expect([...(await link.unary("Echo", Uint8Array.of(1)))]).toEqual([1]);
  });

  it("does not punish pings, however many", async () => {
    const session = await openSession(await listen());
    for (let round = 0; round < 300; round += 1) {
      await new Promise<void>((resolve, reject) => {
        session.ping((error) => (error === null ? resolve() : reject(error)));
      });
    }
    expect((await request(session, {}, MESSAGE)).trailers["grpc-status"]).toBe("0");
  });

  it("closes though a client is silent and never hangs up", async () => {
    const listening = await grpcListener().listen("127.0.0.1:0", []);
    const socket = connect({ port: Number(listening.address.split(":")[1]), host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined);
    cleanUps.push(() => socket.destroy());
    await once(socket, "connect");
    await listening.close();
  });
});

describe("our client", () => {
  function dial(address: string, options: GrpcDialerOptions = {}) {
    const link = grpcDialer(options).dial(address);
    cleanUps.push(() => link.close());
    return link;
  }

  it("gives up on a server that accepts and says nothing, within its connect timeout", async () => {
    const link = dial(await listenRaw(() => undefined), { connectTimeoutMs: 50 });
    const client = new StreamRecorder();
    link.openStream("OpenChannel", client);
    await expect(link.ready()).rejects.toMatchObject({ code: StatusCode.unavailable });
    expect((await client.ended()).by).not.toBe("cancelled");
    expect(await link.closed).toContain("50 ms");
  });

  it.each([
    ["hangs up at once", (socket: Socket) => socket.destroy()],
    ["resets at once", (socket: Socket) => socket.resetAndDestroy()],
    ["speaks HTTP/1", (socket: Socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ])("learns that a server that %s is unavailable", async (_what, onSocket) => {
    const link = dial(await listenRaw(onSocket));
    await expect(link.unary("Echo", Uint8Array.of(1))).rejects.toMatchObject({ code: StatusCode.unavailable });
    await expect(link.ready()).rejects.toMatchObject({ code: StatusCode.unavailable });
  });

  it("loses a connection whose keep-alive pings stay unanswered", async () => {
    // Settings, and then nothing more: no answer to any ping.
    const link = dial(await listenRaw((socket) => socket.write(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0))), {
      pingIntervalMs: 20,
      pingTimeoutMs: 40,
    });
    const client = new StreamRecorder();
    link.openStream("OpenChannel", client);
    await link.ready();
    expect((await client.ended()).by).toBe("connection-lost");
    expect(await link.closed).toMatch(/keep-alive/);
  });

  it("pings, and keeps a connection whose pings are answered", async () => {
    const server = createHttp2Server();
    let pings = 0;
    const pinged = new Promise<void>((resolve) => {
      server.on("session", (session) => {
        session.on("error", () => undefined);
        session.on("ping", () => {
          pings += 1;
          if (pings === 5) resolve();
        });
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const link = dial(`127.0.0.1:${port}`, { pingIntervalMs: 5, pingTimeoutMs: 5_000 });
    await link.ready();
    await pinged;
    await link.ready();
    await link.close();
    server.close();
  });

  it("closes though the server never hangs up", async () => {
    const link = dial(await listenRaw((socket) => socket.write(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0))));
    await link.ready();
    await link.close();
  });

  it("says of an HTTP/2 server that is not gRPC what it got", async () => {
    const server = createHttp2Server();
    server.on("stream", (stream) => {
      stream.on("error", () => undefined);
      stream.respond({ ":status": 404, "content-type": "text/html" });
      stream.end("<p>not here");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const link = dial(`127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`);
    await expect(link.unary("Echo", Uint8Array.of(1))).rejects.toThrow(/HTTP status 404, content-type text\/html/);
    await link.close();
    server.close();
  });
});
