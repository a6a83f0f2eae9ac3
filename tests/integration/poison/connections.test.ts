import { constants } from "node:http2";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { HostOptions } from "../../../src/host/index.ts";
import { encodeRegisterAgentRequest } from "../../../src/protocol/index.ts";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { type GrpcListenerOptions, grpcListener, StatusCode } from "../../../src/transport/index.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";
import { Offender } from "./offender.ts";
import { PoisonedHost } from "./poisoned-host.ts";
import {
  callHeaders,
  flag,
  frame,
  frameType,
  type Header,
  headerBlock,
  message,
  preface,
  RawConnection,
} from "./raw-http2.ts";

let poisoned: PoisonedHost | undefined;
let badInputs = 0;
let slowestMs = 0;

async function start(listener?: GrpcListenerOptions, options?: HostOptions): Promise<PoisonedHost> {
  poisoned = await PoisonedHost.start(listener, options);
  return poisoned;
}

const offenders: Offender[] = [];

async function offend(host: PoisonedHost): Promise<Offender> {
  const offender = await Offender.connect(host.host.address);
  offenders.push(offender);
  return offender;
}

// After every test: the bystanders have noticed nothing, and nothing of the offenders is left.
afterEach(async () => {
  for (const offender of offenders.splice(0)) offender.destroy();
  const trial = await poisoned?.finish();
  poisoned = undefined;
  badInputs += trial?.badInputs ?? 0;
  slowestMs = Math.max(slowestMs, trial?.slowestMs ?? 0);
});

afterAll(() => {
  const wait = `the others' slowest answer took ${slowestMs.toFixed(0)} ms`;
  console.log(`fact: ${badInputs} bad connections and HTTP/2 frames tried against a host; ${wait}`);
});

const channel = "/agents.AgentRpc/OpenChannel";
const unary = "/agents.AgentRpc/RegisterAgent";

function headers(
  stream: number,
  path = channel,
  extra: readonly Header[] = [],
  flags: number = flag.endHeaders,
): Buffer {
  return frame(frameType.headers, flags, stream, headerBlock(callHeaders(path, `offender-${stream}`, extra)));
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Pours until the connection is gone or `count` are sent; returns how many were. */
async function flood(
  connection: RawConnection,
  count: number,
  bytesOf: (index: number) => Uint8Array,
): Promise<number> {
  for (let index = 0; index < count; index += 1) if (!(await connection.pour(bytesOf(index)))) return index + 1;
  return count;
}

describe("a client that never says hello", () => {
  test.each([
    ["nothing at all", Buffer.alloc(0)],
    ["half of the preface", preface.subarray(0, 9)],
    ["the preface alone", preface],
    ["the preface and half of its settings", Buffer.concat([preface, frame(frameType.settings, 0, 0).subarray(0, 5)])],
  ])("and sends %s is hung up on in time", async (_what, bytes) => {
    const host = await start({ handshakeTimeoutMs: 100 });
    const offender = await host.connect();
    offender.write(bytes);
    await offender.closed;
    expect(host.counters.transport.unopenedConnections).toBe(1);
    host.tried(1);
  });

  test("to a host with TLS is hung up on in time", async () => {
    const listener = grpcListener({ tls: { cert: testCertificate, key: testKey }, handshakeTimeoutMs: 100 });
    const listening = await listener.listen("127.0.0.1:0", []);
    const offender = await RawConnection.connect(listening.address);
    await offender.closed;
    expect(listening.counters()).toMatchObject({ acceptedConnections: 1, unopenedConnections: 1 });
    await listening.close();
    badInputs += 1;
  });

  test("is one of a bounded number: others beyond it are hung up on, and the bound frees itself", async () => {
    const host = await start({ maxConnections: 6, handshakeTimeoutMs: 300 });
    const silent = await Promise.all(Array.from({ length: 30 }, () => host.connect()));
    await Promise.all(silent.map(({ closed }) => closed));
    expect(host.counters.transport).toMatchObject({ refusedConnections: 26, unopenedConnections: 4, connections: 2 });
    expect(await (await host.open()).isAlive("again")).toBe(true);
    host.tried(30);
  });
});

describe("a client that opens HTTP/2 and then", () => {
  test("makes no call is hung up on after a while, and one that makes one is not", async () => {
    const host = await start({ idleTimeoutMs: 200 });
    const busy = await host.open();
    busy.write(headers(1));
    await host.until(({ channels }) => channels === 3);
    const idle = await host.open();
    await idle.closed;
    expect(host.counters.transport.idleConnections).toBe(1);
    expect(await busy.isAlive("busy")).toBe(true);
    host.tried(1);
  });

  test.each([
    ["a frame longer than HTTP/2 allows", frame(frameType.data, 0, 1, new Uint8Array(20_000))],
    ["a ping of the wrong length", frame(frameType.ping, 0, 0, new Uint8Array(9))],
  ])("sends %s gets a GOAWAY that says so, and is hung up on with the next ping", async (_what, bytes) => {
    // Its silence would count as lost only much later.
    const host = await start({ pingIntervalMs: 50, pingTimeoutMs: 1_000_000 });
    const offender = await host.open();
    let seen = 0;
    offender.socket.on("data", () => {
      for (const { type, flags, payload } of offender.received.slice(seen)) {
        if (type === frameType.ping && flags === 0)
          offender.write(frame(frameType.ping, flag.acknowledged, 0, payload));
      }
      seen = offender.received.length;
    });
    offender.write(headers(1));
    await host.until(({ channels }) => channels === 3);
    offender.write(bytes);
    const { payload } = await offender.sees(({ type }) => type === frameType.goAway);
    expect(Buffer.from(payload).readUInt32BE(4)).toBe(constants.NGHTTP2_FRAME_SIZE_ERROR);
    await offender.closed;
    expect(host.counters.transport.brokenConnections).toBe(1);
    host.tried(1);
  });

  test("begins headers that never end is hung up on after a while", async () => {
    const host = await start({ idleTimeoutMs: 200 });
    const offender = await host.open();
    offender.write(headers(1, channel, [], 0));
    await offender.closed;
    expect(host.counters.transport.idleConnections).toBe(1);
    host.tried(1);
  });

  test("begins a unary call and never sends its request gets a status for it, and keeps its connection", async () => {
    const host = await start({ requestTimeoutMs: 100 });
    const offender = await host.open();
    for (let stream = 1; stream < 400; stream += 2) offender.write(headers(stream, unary));
    await host.until(({ transport }) => transport.unfinishedRequests === 200 && transport.streams === 2);
    expect(await offender.isAlive("still")).toBe(true);
    host.tried(200);
  });

  test("opens more calls than allowed at once is stopped by HTTP/2 itself", async () => {
    const host = await start({ maxConcurrentStreams: 50 });
    const offender = await host.open();
    const sent = await flood(offender, 1_000, (index) => headers(2 * index + 1, unary));
    await offender.closed;
    expect(host.counters.transport.brokenConnections).toBe(1);
    host.tried(sent);
  });

  test("opens a thousand channels under ids of its own leaves nothing behind", async () => {
    const host = await start();
    const offender = await host.open();
    await flood(offender, 1_000, (index) => headers(2 * index + 1));
    await host.until(({ channels }) => channels === 1_002);
    await host.bystanders.getOn();
    offender.destroy();
    await host.until(({ channels }) => channels === 2);
    host.tried(1_000);
  });

  test.each([
    ["channels", channel, 8],
    ["unary calls", unary, 8],
    ["channels", channel, 0],
    ["unary calls", unary, 0],
  ])("opens %s only to reset them is hung up on (%s, code %i)", async (_what, path, code) => {
    const host = await start({ maxResetsPerMinute: 200 });
    const offender = await host.open();
    const sent = await flood(offender, 5_000, (index) => {
      const stream = 2 * index + 1;
      return Buffer.concat([headers(stream, path), frame(frameType.reset, 0, stream, number(code))]);
    });
    await offender.closed;
    const goAway = await offender.sees(({ type }) => type === frameType.goAway);
    expect(Buffer.from(goAway.payload.subarray(8)).toString()).toContain("reset more than 200 calls");
    expect(host.counters.transport).toMatchObject({ floodingConnections: 1 });
    host.tried(sent);
  });

  test("sends headers that are too long gets a status that says so", async () => {
    const host = await start({ maxHeaderBytes: 4_096 });
    const offender = await offend(host);
    const { status, text } = await offender.unary("RegisterAgent", new Uint8Array(0), { x: "v".repeat(5_000) });
    expect(Number(status)).toBe(StatusCode.resourceExhausted);
    expect(text).toContain("this host takes 4096 (maxHeaderBytes)");
    expect(host.counters.transport.refusedStreams).toBe(1);
    host.tried(1);
  });

  const eightK = 8 * 1_024;
  test.each<[string, Record<string, string>, "by us" | "by Node or us"]>([
    ["long", { x: "v".repeat(5_000) }, "by us"],
    ["many", Object.fromEntries(Array.from({ length: 100 }, (_, nr) => [`x${nr}`, "v".repeat(20)])), "by us"],
    ["long by far", { x: "v".repeat(2 * eightK) }, "by Node or us"],
    ["many by far", Object.fromEntries(Array.from({ length: 400 }, (_, nr) => [`x${nr}`, "v"])), "by Node or us"],
  ])("floods the host with calls of headers too %s is refused each of them", async (_what, extra, how) => {
    const host = await start({ maxHeaderBytes: 4_096 });
    const offender = await offend(host);
    const body = message(encodeRegisterAgentRequest("flooded"));
    const calls = Array.from({ length: 300 }, () => offender.unary("RegisterAgent", body, extra));
    const ends = await Promise.all(calls);
    const statuses = new Set(ends.map(({ status }) => status));
    if (how === "by us") {
      expect(statuses).toEqual(new Set([String(StatusCode.resourceExhausted)]));
      expect(host.counters.transport.refusedStreams).toBe(300);
    } else {
      // Node resets most of them before anything of ours hears of the call.
      for (const status of statuses) expect(status).toMatch(/^(8|reset \d+)$/);
    }
    // Only the bystander's type is there: not one of the calls was served.
    expect(host.counters.agentTypes).toBe(1);
    host.tried(300);
  });

  // What nghttp2 and Node stop by themselves: that they do, and that nobody else notices.
  test.each<[string, (index: number) => Uint8Array, first?: Uint8Array]>([
    [
      "CONTINUATION frames without end",
      (i) => frame(frameType.continuation, 0, 1, headerBlock([[`x${i}`, "y"]])),
      headers(1, channel, [], 0),
    ],
    ["empty CONTINUATION frames", () => frame(frameType.continuation, 0, 1), headers(1, channel, [], 0)],
    ["SETTINGS without end", () => frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0xff, 0xff]))],
    ["PINGs without reading", () => frame(frameType.ping, 0, 0, Buffer.alloc(8))],
    ["empty DATA frames", () => frame(frameType.data, 0, 1), headers(1)],
    [
      "window updates of nothing",
      (i) => Buffer.concat([headers(2 * i + 1), frame(frameType.windowUpdate, 0, 2 * i + 1, number(0))]),
    ],
  ])("sends %s is hung up on", async (_what, bytesOf, first = new Uint8Array(0)) => {
    const host = await start();
    const offender = await host.open();
    offender.write(first);
    const lots = (index: number) => Buffer.concat(Array.from({ length: 50 }, (_, nr) => bytesOf(index * 50 + nr)));
    const sent = await flood(offender, 400, lots);
    await offender.closed;
    expect(host.counters.transport.brokenConnections).toBe(1);
    host.tried(sent * 50);
  });

  test("sends frames of kinds that don't matter is served as if nothing were", async () => {
    const host = await start();
    const offender = await host.open();
    await flood(offender, 2_000, (index) =>
      Buffer.concat([
        frame(77, 255, index, number(index)),
        frame(frameType.priority, 0, 2 * index + 1, Buffer.alloc(5)),
      ]),
    );
    expect(await offender.isAlive("still")).toBe(true);
    host.tried(4_000);
  });

  // Node hears nothing of these: nghttp2 says goodbye and stops listening, even to the client's hanging up.
  test.each<[string, Uint8Array]>([
    ["sends data for a call that was never opened", frame(frameType.data, 0, 9, Buffer.alloc(3))],
    [
      "sends headers that can't be decompressed",
      frame(frameType.headers, flag.endHeaders, 3, Buffer.from("ffffffffffffffff", "hex")),
    ],
    [
      "announces a frame far too long",
      Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]), Buffer.alloc(60_000)]),
    ],
    ["sends data for no call", frame(frameType.data, 0, 0, Buffer.alloc(6))],
    ["acknowledges settings with settings", frame(frameType.settings, flag.acknowledged, 0, Buffer.alloc(6))],
  ])("%s loses its channel soon", async (_what, bytes) => {
    const host = await start({ pingIntervalMs: 50, pingTimeoutMs: 100 });
    const offender = await host.open();
    offender.write(headers(1));
    await host.until(({ channels }) => channels === 3);
    offender.write(bytes);
    await host.until(({ channels, transport }) => channels === 2 && transport.connections === 2);
    host.tried(1);
  });
});

test("noise on the wire, before and after HTTP/2's opening, ends at most its own connection", async () => {
  const host = await start({ handshakeTimeoutMs: 500, pingIntervalMs: 100, pingTimeoutMs: 200 });
  const random = seededRandom(7);
  const noise = (length: number) => Uint8Array.from({ length }, () => random.between(0, 255));
  const rounds = 120;
  for (let round = 0; round < rounds; round += 1) {
    const offender = await (round % 2 === 0 ? host.connect() : host.open());
    const type = random.between(0, 9);
    const bytes =
      round % 4 < 2
        ? noise(random.between(1, 400))
        : frame(type, random.between(0, 255), random.between(0, 5), noise(random.between(0, 60)));
    offender.write(bytes);
    if (round % 3 === 0) offender.destroy();
    else offender.socket.end();
    await host.bystanders.getOn();
  }
  await host.until(({ transport }) => transport.connections === 2);
  host.tried(rounds);
});
