import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { testService } from "../../../src/testing/contracts/link/test-service.ts";
import {
  type GrpcListenerOptions,
  grpcDialer,
  grpcListener,
  type Link,
  type LinkService,
  type ServerStream,
  type ServerStreamReceiver,
} from "../../../src/transport/index.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const workMs = 0.1;
const text = new TextDecoder();

/** Uses processor time, as the handling of a call does. */
function work(ms = workMs): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

/** A listener, a link of an honest client, and a session of one that floods it. */
async function besiege(service: Partial<LinkService>, tls?: GrpcListenerOptions["tls"]) {
  const listening = await grpcListener({ tls }).listen("127.0.0.1:0", [testService(service)]);
  cleanUps.push(() => listening.close());
  const honest = grpcDialer(tls && { tls: { ca: testCertificate } }).dial(
    `${tls ? "https" : "http"}://localhost:${listening.address.split(":")[1]}`,
  );
  cleanUps.push(() => honest.close());
  // It is known to cost little.
  for (let count = 0; count < 10; count += 1) await honest.unary("Echo", Buffer.from("earlier"));
  return { listening, honest, flooder: await openSession(listening.address, tls !== undefined) };
}

async function openSession(address: string, isSecure = false): Promise<ClientHttp2Session> {
  const session = isSecure ? connect(`https://${address}`, { ca: testCertificate }) : connect(`http://${address}`);
  session.on("error", () => undefined);
  cleanUps.push(() => session.destroy());
  await once(session, "connect");
  return session;
}

function message(body: Uint8Array | string): Buffer {
  const bytes = Buffer.from(body);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([prefix, bytes]);
}

const headers = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };

/** Sends calls in one write; resolves when all have ended. */
async function flood(session: ClientHttp2Session, count: number): Promise<unknown> {
  const calls = Array.from({ length: count }, (_, index) => {
    const stream = session.request({ ...headers, ":path": "/agents.AgentRpc/Echo" });
    stream.on("error", () => undefined);
    stream.resume();
    stream.end(message(`flood ${index}`));
    return once(stream, "close");
  });
  return Promise.all(calls);
}

/** Records the calls, and lets an honest one come when the first of the flood is handled. */
function recordingService(handled: string[], onFirst: () => void): Partial<LinkService> {
  return {
    unary: async (request) => {
      const name = text.decode(request);
      if (name === "earlier") return request;
      work();
      handled.push(name);
      if (name === "flood 0") onFirst();
      return request;
    },
  };
}

describe.each([
  ["plaintext", undefined],
  ["TLS", { cert: testCertificate, key: testKey }],
] as const)("over %s", (_, tls) => {
  it("a client that sends 900 calls in one write does not keep another's call from being answered", async () => {
    const handled: string[] = [];
    let answered: Promise<unknown> = Promise.resolve();
    let link: Link | undefined;
    const service = recordingService(handled, () => {
      answered = Promise.resolve(link?.unary("Echo", Buffer.from("honest")));
    });
    const { honest, flooder } = await besiege(service, tls);
    link = honest;
    await flood(flooder, 900);
    await answered;
    expect(handled.indexOf("honest")).toBeLessThan(450);
    // The order within the connection stays.
    const floodCalls = handled.filter((name) => name !== "honest");
    expect(floodCalls).toEqual(Array.from({ length: 900 }, (_unused, index) => `flood ${index}`));
  });

  it("40 connections that send at once do not either, and all of them are served", async () => {
    const handled: string[] = [];
    let answered: Promise<unknown> = Promise.resolve();
    let link: Link | undefined;
    const service = recordingService(handled, () => {
      if (!handled.includes("honest")) answered = Promise.resolve(link?.unary("Echo", Buffer.from("honest")));
    });
    const { listening, honest, flooder } = await besiege(service, tls);
    link = honest;
    const others = await Promise.all(
      Array.from({ length: 39 }, () => openSession(listening.address, tls !== undefined)),
    );
    await Promise.all([flooder, ...others].map((session) => flood(session, 30)));
    await answered;
    expect(handled.indexOf("honest")).toBeLessThan(600);
    expect(handled.filter((name) => name.startsWith("flood")).length).toBe(1_200);
  });
});

/** Counts the frames of a stream; each takes time. */
class SlowReceiver implements ServerStreamReceiver {
  readonly frames: number[] = [];
  readonly unread: Promise<number>;
  isHalfClosed = false;
  stream: ServerStream | undefined;
  #settle: (unread: number) => void = () => undefined;
  readonly #onFrame: (frame: Uint8Array) => void;

  constructor(onFrame: (frame: Uint8Array) => void = () => undefined) {
    this.#onFrame = onFrame;
    this.unread = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  onOpen(stream: ServerStream): void {
    this.stream = stream;
  }

  onFrame(frame: Uint8Array): void {
    work();
    this.frames.push(Buffer.from(frame).readUInt32BE());
    this.#onFrame(frame);
  }

  onBadFrame(): void {}
  onDrain(): void {}

  onHalfClose(): void {
    this.isHalfClosed = true;
    this.stream?.end();
  }

  onEnd(): void {
    this.#settle(this.stream?.unreadFrames ?? 0);
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

function numbered(count: number): Buffer {
  return Buffer.concat(
    numbers(count).map((index) => {
      const body = Buffer.alloc(4);
      body.writeUInt32BE(index);
      return message(body);
    }),
  );
}

describe("one chunk of many messages", () => {
  it("is read in several turns: another's call is answered meanwhile, and all come in order before the half-close", async () => {
    let honestAt = -1;
    let link: Link | undefined;
    let answered: Promise<unknown> = Promise.resolve();
    const receiver = new SlowReceiver((frame) => {
      if (frame[3] === 0 && frame[2] === 0)
        answered = Promise.resolve(link?.unary("Echo", Buffer.from("honest")).then(() => undefined));
    });
    const { honest, flooder } = await besiege({
      unary: async (request) => {
        if (text.decode(request) === "honest") honestAt = receiver.frames.length;
        return request;
      },
      stream: () => receiver,
    });
    link = honest;
    const stream = flooder.request({ ...headers, ":path": "/agents.AgentRpc/OpenChannel" });
    stream.resume();
    stream.end(numbered(1_000));
    expect(await receiver.unread).toBe(0);
    await answered;
    expect(receiver.frames).toEqual(numbers(1_000));
    expect(receiver.isHalfClosed).toBe(true);
    expect(honestAt).toBeLessThan(500);
  });

  it("counts as unread as far as it was not read when its stream ends", async () => {
    let link: Link | undefined;
    const receiver = new SlowReceiver(() => {
      if (receiver.frames.length === 10) link?.unary("Echo", Buffer.from("cancel")).catch(() => undefined);
    });
    const { honest, flooder } = await besiege({
      unary: async (request) => {
        if (text.decode(request) === "cancel") receiver.stream?.cancel();
        return request;
      },
      stream: () => receiver,
    });
    link = honest;
    const stream = flooder.request({ ...headers, ":path": "/agents.AgentRpc/OpenChannel" });
    stream.on("error", () => undefined);
    stream.resume();
    stream.write(numbered(1_000));
    const unread = await receiver.unread;
    expect(unread).toBeGreaterThan(0);
    expect(receiver.frames).toEqual(numbers(1_000 - unread));
  });

  it("waits while its receiver has paused the stream, and goes on where it was", async () => {
    let link: Link | undefined;
    const receiver = new SlowReceiver((frame) => {
      if (Buffer.from(frame).readUInt32BE() !== 100) return;
      receiver.stream?.pause();
      link?.unary("Echo", Buffer.from("resume")).catch(() => undefined);
    });
    const { honest, flooder } = await besiege({
      unary: async (request) => {
        if (text.decode(request) === "resume") receiver.stream?.resume();
        return request;
      },
      stream: () => receiver,
    });
    link = honest;
    const stream = flooder.request({ ...headers, ":path": "/agents.AgentRpc/OpenChannel" });
    stream.resume();
    stream.end(numbered(1_000));
    await receiver.unread;
    expect(receiver.frames).toEqual(numbers(1_000));
  });
});

it("a call that its caller has reset while it waited is never given to the service", async () => {
  const handled: string[] = [];
  const { flooder } = await besiege(recordingService(handled, () => undefined));
  const done = flood(flooder, 500);
  const late = flooder.request({ ...headers, ":path": "/agents.AgentRpc/Echo" });
  late.on("error", () => undefined);
  late.end(message("given up"));
  late.close(8);
  await done;
  expect(handled).not.toContain("given up");
});

it("the ends of connections with many calls take turns, too", async () => {
  let turn = 0;
  let isWatching = true;
  const next = (): void => {
    turn += 1;
    if (isWatching) setImmediate(next);
  };
  next();
  cleanUps.push(() => {
    isWatching = false;
  });
  const connections = 20;
  const calls = 150;
  const endsInTurn = new Map<number, number>();
  let started = 0;
  let ended = 0;
  let onStarted: () => void = () => undefined;
  let onEnded: () => void = () => undefined;
  const allStarted = new Promise<void>((resolve) => {
    onStarted = resolve;
  });
  const allEnded = new Promise<void>((resolve) => {
    onEnded = resolve;
  });
  const { listening } = await besiege({
    unary: (request, { signal }) => {
      if (text.decode(request) === "earlier") return Promise.resolve(request);
      signal.addEventListener("abort", () => {
        endsInTurn.set(turn, (endsInTurn.get(turn) ?? 0) + 1);
        ended += 1;
        if (ended === connections * calls) onEnded();
      });
      started += 1;
      if (started === connections * calls) onStarted();
      return new Promise(() => undefined);
    },
  });
  const sessions = await Promise.all(Array.from({ length: connections }, () => openSession(listening.address)));
  for (const session of sessions) void flood(session, calls);
  await allStarted;
  for (const session of sessions) session.destroy();
  await allEnded;
  expect(Math.max(...endsInTurn.values())).toBeLessThanOrEqual(4 * calls);
});
