import { gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { HostOptions } from "../../../src/host/index.ts";
import { decodeFrame, encodeFrame, encodeRegisterAgentRequest, type Frame } from "../../../src/protocol/index.ts";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { type GrpcListenerOptions, grpcDialer, StatusCode } from "../../../src/transport/index.ts";
import { mutants } from "../../fuzz/campaign.ts";
import { streamOf } from "../../fuzz/check-framing.ts";
import { join } from "../../fuzz/mutate-bytes.ts";
import { callFrame } from "../../hostile/support/frames.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { Offender } from "./offender.ts";
import { PoisonedHost } from "./poisoned-host.ts";
import { message } from "./raw-http2.ts";

let poisoned: PoisonedHost | undefined;
const offenders: { destroy(): void }[] = [];
let badInputs = 0;
let slowestMs = 0;

async function start(listener?: GrpcListenerOptions, options?: HostOptions): Promise<PoisonedHost> {
  poisoned = await PoisonedHost.start(listener, options);
  return poisoned;
}

async function offend(host: PoisonedHost, clientId?: string): Promise<Offender> {
  const offender = await Offender.connect(host.host.address, clientId);
  offenders.push(offender);
  return offender;
}

/** A worker that speaks properly as far as frames go. */
async function worker(host: PoisonedHost, clientId: string): Promise<RawWorker> {
  const link = grpcDialer().dial(host.host.address);
  offenders.push({ destroy: () => void link.close() });
  return new RawWorker(link, clientId).join();
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
  console.log(`fact: ${badInputs} bad messages and calls tried against a host over gRPC; ${wait}`);
});

const barrier = encodeFrame({
  kind: "request",
  requestId: "barrier",
  source: undefined,
  target: { type: "nobody", key: "k" },
  payload: undefined,
  metadata: {},
});

describe("mutated frames", () => {
  test("on a data channel end neither it nor anything else", async () => {
    const host = await start();
    const call = (await offend(host)).open("OpenChannel");
    const random = seededRandom(11);
    for (let lot = 0; lot < 40; lot += 1) {
      await call.pour(join(...mutants(random, 50).map((mutant) => message(mutant))));
      await host.bystanders.getOn();
    }
    await call.pour(message(barrier));
    for (let answer = ""; !answer.includes("barrier"); )
      answer = Buffer.from(await call.messages.take()).toString("latin1");
    expect(host.counters.badFrames).toBeGreaterThan(100);
    host.tried(2_000);
  });

  test("on a control channel end neither it nor anything else", async () => {
    const host = await start();
    const call = (await offend(host)).open("OpenControlChannel");
    for (const mutant of mutants(seededRandom(12), 1_000)) await call.pour(message(mutant));
    call.stream.end();
    expect(await call.ended).toMatchObject({ status: String(StatusCode.ok) });
    expect(host.counters.badFrames).toBeGreaterThan(50);
    host.tried(1_000);
  });

  test.each(["RegisterAgent", "AddSubscription", "RemoveSubscription", "GetSubscriptions", "GetState", "SaveState"])(
    "as requests of %s all get a status",
    async (method) => {
      const host = await start({}, { registrationOrphanMs: 200 });
      const offender = await offend(host);
      const ends = await Promise.all(
        mutants(seededRandom(13), 300).map((mutant) => offender.unary(method, message(mutant))),
      );
      expect(ends.every(({ status }) => /^\d+$/.test(status))).toBe(true);
      host.tried(300);
    },
  );

  test("in mutated framing end at most their own call", async () => {
    const host = await start({ maxReceiveMessageBytes: 100_000 });
    const offender = await offend(host);
    const random = seededRandom(14);
    for (let round = 0; round < 150; round += 1) {
      const call = offender.open("OpenChannel", { "client-id": `offender-${round}`, "grpc-encoding": "gzip" });
      call.stream.end(streamOf(random, mutants(random, 8)));
      expect((await call.ended).status).toBe(String(StatusCode.ok));
    }
    expect(host.counters.transport.badMessages).toBeGreaterThan(50);
    host.tried(150 * 8);
  });
});

describe("messages that are too long", () => {
  test("by their announced length get a status, call by call", async () => {
    const host = await start();
    const offender = await offend(host);
    const ends = await Promise.all(
      Array.from({ length: 100 }, () => offender.unary("RegisterAgent", message(new Uint8Array(9), 0xffff_ffff))),
    );
    expect(new Set(ends.map(({ status }) => status))).toEqual(new Set([String(StatusCode.resourceExhausted)]));
    expect(host.counters.transport.oversizeMessages).toBe(100);
    host.tried(100);
  });

  test("once inflated get a status and cost no more than the limit", async () => {
    const host = await start({ maxReceiveMessageBytes: 1024 * 1024 });
    const offender = await offend(host);
    const bomb = message(gzipSync(Buffer.alloc(64 * 1024 * 1024)), undefined, 1);
    const end = await offender.unary("SaveState", bomb, { "grpc-encoding": "gzip" });
    expect(end).toMatchObject({ status: String(StatusCode.resourceExhausted) });
    expect(end.text).toContain("inflates to more than");
    const call = offender.open("OpenChannel", { "grpc-encoding": "gzip" });
    for (let count = 0; count < 20; count += 1) await call.pour(bomb);
    await host.until(({ transport }) => transport.oversizeMessages === 21);
    await host.bystanders.getOn();
    host.tried(21);
  });

  test.each([
    { what: "as it is", compressed: 0, pack: (frame: Uint8Array) => frame },
    { what: "compressed", compressed: 1, pack: (frame: Uint8Array) => gzipSync(frame, { level: 0 }) },
  ])("with a request id of 1,000 characters, $what, get the outcome of their call", async ({ compressed, pack }) => {
    const host = await start({ maxReceiveMessageBytes: 100_000 });
    const call = (await offend(host)).open("OpenChannel", { "grpc-encoding": "gzip" });
    const requestId = "i".repeat(1_000);
    await call.pour(message(pack(callFrame(requestId, { bytes: 200_000 })), undefined, compressed));
    const answer = decodeFrame(await call.messages.take());
    expect(answer).toMatchObject({ kind: "response", requestId });
    expect(answer.kind === "response" && answer.error).toContain("100000");
    host.tried(1);
  });

  test("together, for none of them ends, find room for some and no more", async () => {
    const host = await start({ maxHeldBytes: 8 * 1024 * 1024 });
    const offender = await offend(host);
    const calls = Array.from({ length: 20 }, (_, nr) =>
      offender.open("OpenChannel", { "client-id": `offender-${nr}` }),
    );
    const unfinished = message(new Uint8Array(1024 * 1024), 50 * 1024 * 1024);
    for (const call of calls) await call.pour(unfinished);
    await host.until(({ transport }) => transport.refusedMessages + transport.overloadedStreams >= 12);
    await host.bystanders.getOn();
    for (const call of calls) call.stream.destroy();
    // What was held is free again: a long message passes.
    const long = { kind: "register-type", requestId: "r".repeat(6 * 1024 * 1024), agentType: "t" } as const;
    const after = offender.open("OpenChannel", { "client-id": "offender-after" });
    await after.pour(message(encodeFrame(long)));
    await after.pour(message(barrier));
    expect((await after.messages.take()).length).toBeGreaterThan(0);
    host.tried(20);
  });

  test("together, as whole requests whose calls never end, find room for some and no more, also those that inflate", async () => {
    const host = await start({ maxHeldBytes: 8 * 1024 * 1024 });
    const offender = await offend(host);
    const whole = message(gzipSync(Buffer.alloc(1024 * 1024)), undefined, 1);
    const calls = Array.from({ length: 20 }, () => offender.open("SaveState", { "grpc-encoding": "gzip" }));
    for (const call of calls) await call.pour(whole);
    const refused = await Promise.all(calls.slice(8).map(({ ended }) => ended));
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([String(StatusCode.resourceExhausted)]));
    await host.bystanders.getOn();
    host.tried(20);
  });

  test("as answers that nobody reads are refused beyond a bound", async () => {
    const host = await start({ maxHeldBytes: 768 * 1024 });
    const subscriber = await worker(host, "offender");
    for (let nr = 0; nr < 300; nr += 1) {
      await subscriber.subscribe(`${nr}`, { kind: "type", topicType: `t-${nr}-${"x".repeat(300)}`, agentType: "a" });
    }
    const offender = await offend(host, "reader");
    const calls = Array.from({ length: 50 }, () => {
      const call = offender.open("GetSubscriptions");
      call.stream.pause();
      call.stream.end(message(new Uint8Array(0)));
      return call;
    });
    const ends = Promise.all(calls.map(({ ended }) => ended));
    await host.until(({ transport }) => transport.streams <= 3 + 8);
    for (const call of calls) call.stream.resume();
    const statuses = (await ends).map(({ status }) => status);
    expect(statuses).toContain(String(StatusCode.resourceExhausted));
    expect(statuses).toContain(String(StatusCode.ok));
    host.tried(50);
  });
});

test("a client that sends without pause is read on only after the others were", async () => {
  const host = await start();
  const call = (await offend(host)).open("OpenChannel");
  const total = 100_000;
  const lot = Buffer.concat(Array.from({ length: total }, () => message(barrier)));
  const begun = host.counters.calls;
  const poured = call.pour(lot);
  await host.until(({ calls }) => calls > begun + 1_000);
  await host.bystanders.getOn();
  expect(host.counters.calls - begun).toBeLessThan(total);
  await poured;
  host.tried(total);
});

describe("a client that meddles", () => {
  const answer = (requestId: string): Frame => ({
    kind: "response",
    requestId,
    payload: undefined,
    error: "",
    metadata: {},
  });

  test("answers calls nobody made, and calls that others were asked, is not heard", async () => {
    const host = await start();
    const target = await worker(host, "target");
    await target.register("target");
    const caller = await worker(host, "caller");
    caller.request("1", "target/k");
    const { requestId } = await target.nextRequest();
    const meddler = await worker(host, "meddler");
    meddler.send(answer(requestId));
    for (let nr = 0; nr < 500; nr += 1) meddler.send(answer(`${nr}`));
    meddler.send({ kind: "cancel", requestId, reason: "cancelled" });
    meddler.send({ kind: "cancel", requestId: "1", reason: "caller-gone" });
    expect(await meddler.settled()).toEqual([]);
    expect(host.counters).toMatchObject({ strayAnswers: 1, lateAnswers: 500 });
    // A call of the bystanders may be under way, too.
    expect(host.host.sessions().find(({ clientId }) => clientId === "caller")?.outgoingCalls).toBe(1);
    expect(await caller.settled()).toEqual([]);
    target.respond(requestId, "from the one who was asked");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", error: "" });
    host.tried(503);
  });

  test("removes others' subscriptions is refused where clients may remove only their own", async () => {
    const host = await start({}, { ownOnly: true });
    const meddler = await worker(host, "meddler");
    await expect(meddler.unsubscribe("bystanding")).rejects.toMatchObject({ code: StatusCode.permissionDenied });
    host.tried(1);
  });

  test.each([
    ["agent types", (host: RawWorker, name: string) => host.register(name)],
    [
      "topics",
      (host: RawWorker, name: string) => host.subscribe("s", { kind: "type", topicType: name, agentType: "a" }),
    ],
    [
      "subscription ids",
      (host: RawWorker, name: string) => host.subscribe(name, { kind: "type", topicType: "t", agentType: "a" }),
    ],
  ])("registers %s a megabyte long gets a short status", async (_what, register) => {
    const host = await start();
    const meddler = await worker(host, "meddler");
    const refusal = await register(meddler, "x".repeat(1024 * 1024)).catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: StatusCode.invalidArgument });
    expect(refusal instanceof Error && refusal.message.length < 500).toBe(true);
    host.tried(1);
  });

  test("calls by types, keys and ids a megabyte long gets short errors, and the host keeps none of them", async () => {
    const host = await start();
    const target = await worker(host, "target");
    await target.register("target");
    const meddler = await worker(host, "meddler");
    const long = "x".repeat(1024 * 1024);
    meddler.request("type", `${long}/k`);
    meddler.request("key", `target/${long}`, { metadata: { [long]: long } });
    const { error, requestId } = await meddler.nextResponse();
    expect(requestId).toBe("type");
    expect(error.length).toBeLessThan(5_000);
    await target.nextRequest();
    meddler.request(long, "target/k");
    await meddler.settled();
    await host.bystanders.getOn();
    host.tried(3);
  });

  test("names a hundred thousand agents, topics and clients that don't exist leaves nothing behind", {
    timeout: 60_000,
  }, async () => {
    const host = await start();
    const meddler = await worker(host, "meddler");
    const heard = meddler.settled();
    for (let lot = 0; lot < 100; lot += 1) {
      for (let nr = 0; nr < 500; nr += 1) {
        const name = `n${lot}-${nr}`;
        meddler.request(name, `${name}/${name}`);
        meddler.publish(name, name, name);
      }
      await meddler.stream.flushed();
    }
    await heard;
    await host.until(({ failedCalls, events }) => failedCalls >= 50_000 && events >= 50_000);
    expect(host.counters).toMatchObject({ agentTypes: 1, subscriptions: 1 });
    // The bystanders' own.
    expect(host.counters.pendingCalls).toBeLessThanOrEqual(1);
    host.tried(100_000);
  });

  test("never says its name again: unary calls under two thousand client ids are bounded", {
    timeout: 60_000,
  }, async () => {
    const host = await start({}, { maxSessions: 100, registrationOrphanMs: 200 });
    const offender = await offend(host);
    const register = (nr: number) =>
      offender.unary("RegisterAgent", message(encodeRegisterAgentRequest(`t${nr}`)), { "client-id": `c${nr}` });
    for (let lot = 0; lot < 10; lot += 1) {
      await Promise.all(Array.from({ length: 200 }, (_, nr) => register(lot * 200 + nr)));
      expect(host.counters.agentTypes).toBeLessThanOrEqual(101);
    }
    expect(host.counters.refusedByLimit).toBeGreaterThan(0);
    await host.until(({ agentTypes }) => agentTypes === 1);
    host.tried(2_000);
  });

  test("puts bytes that are no UTF-8 into every text is refused, and nobody is sent them", async () => {
    const host = await start();
    const offender = await offend(host);
    const bad = Buffer.from("ff80fe", "hex");
    for (const method of ["RegisterAgent", "RemoveSubscription"]) {
      const end = await offender.unary(method, message(join(Uint8Array.of(0x0a, 3), bad)));
      expect(end.status).toBe(String(StatusCode.invalidArgument));
    }
    const call = offender.open("OpenChannel");
    const before = host.counters.badFrames;
    // Of calls, answers and events: the text in field 1, and the topic type of an event.
    for (const frame of ["0a050a03ff80fe", "12050a03ff80fe", "1a050a03ff80fe", "1a052203ff80fe"]) {
      await call.pour(message(Buffer.from(frame, "hex")));
    }
    await host.until(({ badFrames }) => badFrames === before + 4);
    host.tried(6);
  });
});
