import { afterEach, describe, expect, it, vi } from "vitest";
import { testService } from "../../../src/testing/contracts/link/test-service.ts";
import { StreamRecorder } from "../../../src/testing/contracts/link.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import {
  grpcDialer,
  grpcListener,
  type LinkService,
  type ServerStream,
  StatusCode,
  type StreamEnd,
} from "../../../src/transport/index.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const frame = new Uint8Array(100);

/** A server's side that ends its stream at a frame of this number, and that counts what it did not read. */
class EndingServer extends StreamRecorder {
  unread = 0;
  readonly #at: number;
  readonly #endIt: (stream: ServerStream) => void;

  constructor(at: number, endIt: (stream: ServerStream) => void) {
    super();
    this.#at = at;
    this.#endIt = endIt;
  }

  override onFrame(bytes: Uint8Array): void {
    super.onFrame(bytes);
    if (this.count("frame") === this.#at) this.#endIt(this.stream);
  }

  override onEnd(end: StreamEnd): void {
    this.unread += this.stream.unreadFrames;
    super.onEnd(end);
  }

  onLate(messages: number): void {
    this.unread += messages;
  }
}

async function openTo(server: StreamRecorder) {
  const listening = await grpcListener().listen("127.0.0.1:0", [testService({ stream: () => server })]);
  cleanUps.push(() => listening.close());
  const link = grpcDialer({ pingIntervalMs: 1 }).dial(listening.address);
  cleanUps.push(() => link.close());
  await link.ready();
  const client = new StreamRecorder();
  const stream = link.openStream("OpenChannel", client);
  await server.opened();
  return { client, stream };
}

/** A stream through a proxy; each side pings as often as it is told. */
async function openThroughProxy(pings: { readonly server: number; readonly client: number }) {
  const server = new StreamRecorder();
  const service: Partial<LinkService> = { stream: () => server };
  const listening = await grpcListener({ pingIntervalMs: pings.server }).listen("127.0.0.1:0", [testService(service)]);
  cleanUps.push(() => listening.close());
  const proxy = await startFaultProxy({ target: listening.address });
  cleanUps.push(() => proxy.close());
  const link = grpcDialer({ pingIntervalMs: pings.client }).dial(proxy.address);
  cleanUps.push(() => link.close());
  const client = new StreamRecorder();
  const stream = link.openStream("OpenChannel", client);
  return { proxy, link, server, client, stream, opened: (await server.opened()) as ServerStream };
}

describe("what was sent on a connection that breaks", () => {
  it("is in no doubt where a ping sent after it was answered", async () => {
    const { proxy, server, client, stream, opened } = await openThroughProxy({ server: 10, client: 10 });
    for (let index = 0; index < 100; index += 1) stream.send(frame);
    for (let index = 0; index < 50; index += 1) opened.send(frame);
    await Promise.all([stream.flushed(), opened.flushed()]);
    await vi.waitFor(() => expect([stream.unconfirmedFrames, opened.unconfirmedFrames]).toEqual([0, 0]));
    expect([server.count("frame"), client.count("frame")]).toEqual([100, 50]);
    proxy.apply({ kind: "reset" });
    await client.ended();
    await server.ended();
    expect([stream.unconfirmedFrames, stream.unsentFrames]).toEqual([0, 0]);
    expect([opened.unconfirmedFrames, opened.unsentFrames]).toEqual([0, 0]);
  });

  it("is in no doubt where a call made after it was answered", async () => {
    const { link, stream, server } = await openThroughProxy({ server: 0, client: 0 });
    for (let index = 0; index < 100; index += 1) stream.send(frame);
    await stream.flushed();
    expect(stream.unconfirmedFrames).toBe(100);
    await link.unary("NobodyServesThis", frame).catch(() => undefined);
    expect(stream.unconfirmedFrames).toBe(0);
    expect(server.count("frame")).toBe(100);
  });

  it("is in doubt while nothing was answered, though it may have arrived", async () => {
    const { proxy, stream, opened, server, client } = await openThroughProxy({ server: 0, client: 0 });
    for (let index = 0; index < 100; index += 1) stream.send(frame);
    opened.send(frame);
    await server.has("frame");
    await client.has("frame");
    proxy.apply({ kind: "reset" });
    await client.ended();
    await server.ended();
    expect(stream.unconfirmedFrames + stream.unsentFrames).toBe(100);
    expect(opened.unconfirmedFrames).toBe(1);
  });

  it("is told by who had it and had not read it, though it was confirmed", async () => {
    const { proxy, stream, opened, client, server } = await openThroughProxy({ server: 10, client: 10 });
    opened.send(frame);
    await client.has("frame");
    stream.pause();
    for (let index = 0; index < 1_000; index += 1) opened.send(frame);
    await opened.flushed();
    await vi.waitFor(() => expect(opened.unconfirmedFrames).toBe(0));
    proxy.apply({ kind: "reset" });
    await client.ended();
    await server.ended();
    expect(client.count("frame") + stream.unreadFrames).toBe(1_001);
    expect(stream.unreadFrames).toBeGreaterThan(0);
  });
});

describe("what arrives while the server ends the stream", () => {
  it.each<[string, (stream: ServerStream) => void]>([
    ["aborts", (stream) => stream.abort({ code: StatusCode.resourceExhausted, details: "" })],
    ["cancels", (stream) => stream.cancel()],
  ])("is counted as unread when it %s in the middle of what it reads", async (_how, endIt) => {
    const server = new EndingServer(10, endIt);
    const { client, stream } = await openTo(server);
    for (let index = 0; index < 100; index += 1) stream.send(frame);
    await client.ended();
    await server.ended();
    await vi.waitFor(() => expect(server.count("frame") + server.unread).toBe(100));
  });

  it("is unread or unconfirmed, however fast the client sends and asks", async () => {
    for (let round = 0; round < 10; round += 1) {
      const server = new EndingServer(500, (opened) => {
        opened.pause();
        setTimeout(() => opened.cancel(), 5);
      });
      const { client, stream } = await openTo(server);
      let sent = 0;
      while (client.count("end") === 0) {
        for (let index = 0; index < 100; index += 1) if (stream.send(frame) || stream.queuedBytes > 0) sent += 1;
        await new Promise(setImmediate);
      }
      await server.ended();
      const confirmed = sent - stream.unsentFrames - stream.unconfirmedFrames;
      await vi.waitFor(() => expect(server.count("frame") + server.unread).toBeGreaterThanOrEqual(confirmed));
    }
  });

  it("is never told as unsent, though it was part of a write that was not over", async () => {
    const server = new EndingServer(1, (opened) => opened.pause());
    const { client, stream } = await openTo(server);
    const long = new Uint8Array(20_000);
    for (let index = 0; index < 400; index += 1) stream.send(long);
    await server.has("frame");
    await vi.waitFor(() => expect(server.stream.queuedBytes).toBe(0));
    stream.cancel();
    await client.ended();
    await server.ended();
    await vi.waitFor(() => expect(server.unread).toBeGreaterThan(0));
    expect(stream.unsentFrames).toBeGreaterThan(0);
    expect(stream.unsentFrames + stream.unconfirmedFrames + server.count("frame")).toBeGreaterThanOrEqual(400);
    expect(stream.unsentFrames + server.count("frame") + server.unread).toBeLessThanOrEqual(400);
  });
});
