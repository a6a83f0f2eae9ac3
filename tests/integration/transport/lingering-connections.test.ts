import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer } from "node:http2";
import { connect as connectSocket } from "node:net";
import process from "node:process";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it, vi } from "vitest";
import { StreamRecorder } from "../../../src/testing/contracts/link/stream-recorder.ts";
import { testService } from "../../../src/testing/contracts/link/test-service.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { type GrpcListenerOptions, grpcDialer, grpcListener } from "../../../src/transport/index.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const pings = { pingIntervalMs: 20, pingTimeoutMs: 100 };
const widest = 2 ** 31 - 1;
const headers = { ":method": "POST", ":path": "/agents.AgentRpc/OpenChannel", "content-type": "application/grpc" };

async function listen(options: GrpcListenerOptions) {
  const server = new StreamRecorder();
  const listening = await grpcListener(options).listen("127.0.0.1:0", [testService({ stream: () => server })]);
  cleanUps.push(() => listening.close());
  const proxy = await startFaultProxy({ target: listening.address });
  cleanUps.push(() => proxy.close());
  return { listening, server, proxy };
}

/** The opening of HTTP/2 and a GOAWAY. */
const goAway = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
  Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
]);

/** A client with an open call that takes as much as is sent to it. */
async function openCall(address: string): Promise<ClientHttp2Session> {
  const client = connect(`http://${address}`, { settings: { initialWindowSize: widest } });
  cleanUps.push(() => client.destroy());
  client.on("error", () => undefined);
  client.on("connect", () => client.setLocalWindowSize(widest));
  const request = client.request(headers, { endStream: false });
  request.on("error", () => undefined);
  request.resume();
  await once(request, "response");
  return client;
}

describe("a listener lets a connection go", () => {
  it("of a client that says GOAWAY, has no call, and does not close its side", async () => {
    const { listening } = await listen({ idleTimeoutMs: 50, pingIntervalMs: 0 });
    const socket = connectSocket({ port: Number(listening.address.split(":")[1]), allowHalfOpen: true });
    cleanUps.push(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(goAway);
    await once(socket, "end");
    await vi.waitFor(() => expect(listening.counters().connections).toBe(0), 5_000);
  });

  it("of a client that is cut and reads nothing of what is on its way to it", async () => {
    const { listening, server, proxy } = await listen(pings);
    await openCall(proxy.address);
    proxy.apply({ kind: "stall" });
    for (let count = 0; count < 64; count += 1) server.stream.send(new Uint8Array(1024 * 1024));
    expect(await server.ended()).toMatchObject({ by: "connection-lost" });
    await vi.waitFor(() => expect(listening.counters().connections).toBe(0), 5_000);
  });
});

// Only Linux has 127.0.0.2 without being told.
it.runIf(process.platform === "linux")(
  "a client may use one port for two connections: the end of one is not that of the other",
  async () => {
    const tls = { cert: testCertificate, key: testKey };
    const listening = await grpcListener({ tls, idleTimeoutMs: 200, pingIntervalMs: 0 }).listen("https://0.0.0.0:0", [
      testService({}),
    ]);
    cleanUps.push(() => listening.close());
    const port = Number(listening.address.split(":")[1]);
    const open = async (host: string, localPort: number) => {
      const socket = connectSocket({ host, port, localAddress: "127.0.0.1", localPort, allowHalfOpen: true });
      const options = { allowHalfOpen: true, ca: testCertificate, servername: "localhost", ALPNProtocols: ["h2"] };
      const secure = connectTls({ socket, ...options });
      cleanUps.push(() => secure.destroy());
      secure.on("error", () => undefined);
      await once(secure, "secureConnect");
      return { secure, localPort: socket.localPort ?? 0 };
    };
    const first = await open("127.0.0.1", 0);
    const second = await open("127.0.0.2", first.localPort);
    const session = connect("https://localhost", { createConnection: () => second.secure });
    const request = session.request(headers, { endStream: false });
    request.on("error", () => undefined);
    await once(request, "response");
    first.secure.resume();
    first.secure.write(goAway);
    await vi.waitFor(() => expect(listening.counters().connections).toBe(1), 5_000);
    await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
  },
);

describe("after a GOAWAY", () => {
  it("a client that falls silent is noticed", async () => {
    const { server, proxy } = await listen(pings);
    const client = await openCall(proxy.address);
    client.close();
    await vi.waitFor(() => expect(client.closed).toBe(true));
    await once(client, "remoteSettings");
    proxy.apply({ kind: "stall" });
    expect(await server.ended()).toMatchObject({
      by: "connection-lost",
      reason: expect.stringContaining("keep-alive"),
    });
  });

  it("a client that lives keeps its call", async () => {
    const { server, proxy } = await listen(pings);
    const client = await openCall(proxy.address);
    client.close();
    for (let count = 0; count < 20; count += 1) await once(client, "remoteSettings");
    expect(server.count("end")).toBe(0);
  });

  it("a server that falls silent is noticed", async () => {
    const server = createServer();
    server.on("stream", (stream) => {
      stream.respond({ "content-type": "application/grpc" });
      stream.on("error", () => undefined);
      stream.session?.goaway();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanUps.push(() => server.close());
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const proxy = await startFaultProxy({ target: `127.0.0.1:${port}` });
    cleanUps.push(() => proxy.close());
    const link = grpcDialer(pings).dial(proxy.address);
    cleanUps.push(() => link.close());
    const client = new StreamRecorder();
    const stream = link.openStream("OpenChannel", client);
    stream.send(new Uint8Array(1));
    await link.leaving;
    proxy.apply({ kind: "stall" });
    expect(await client.ended()).toMatchObject({ by: "connection-lost", reason: expect.any(String) });
  });
});
