import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime } from "../../../src/grpc/index.ts";
import { decodeControlHeartbeat } from "../../../src/protocol/internal.ts";
import { Gate } from "../../support/gate.ts";
import { RawGrpcHost } from "../../support/raw-grpc-host.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FakeDialer, type FakeLink, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { settled } from "../../support/worker/stage.ts";

const headers = { agtroupe: "1", agcaps: "heartbeat" };
const answer = (seq: number) => ({ kind: "heartbeat", seq, isAnswer: true, leaseMs: 0 }) as const;

function asked(link: FakeLink): number[] {
  return link.sent.flatMap((frame) => (frame.kind === "heartbeat" && !frame.isAnswer ? [frame.seq] : []));
}

describe("a quiet worker of a host that names heartbeat", () => {
  test("sends a heartbeat every 15 s on the data channel, the side stream and the control channel", async () => {
    const dialer = new FakeDialer({ headers });
    await using stage = await openFakeStage(dialer, { controlChannel: "at-start", maxConcurrentHandlers: 2 });
    await settled();
    // The side stream opens after the headers of the data channel.
    await settled();
    const link = dialer.link(1);
    stage.clock.advance(14_999);
    expect(asked(link)).toEqual([]);
    stage.clock.advance(1);
    expect(asked(link)).toHaveLength(1);
    const sentOn = (name: string) => link.streams.find(({ method }) => method.endsWith(name))?.sent ?? [];
    expect(sentOn("OpenSignals")).toHaveLength(1);
    expect(sentOn("OpenControlChannel").map(decodeControlHeartbeat)).toMatchObject([{ isAnswer: false }]);
    stage.clock.advance(15_000);
    expect(asked(link)).toHaveLength(2);
    expect(sentOn("OpenSignals")).toHaveLength(2);
  });

  test("is not asked for and does not answer by calls, and a host that is silent counts as lost", async () => {
    const dialer = new FakeDialer({ headers });
    await using stage = await openFakeStage(dialer, { keepAliveMs: 1_000, keepAliveTimeoutMs: 500, reconnect: false });
    await settled();
    const link = dialer.link(1);
    const callsAtStart = link.unaryCount;
    for (let second = 1; second <= 3; second += 1) {
      stage.clock.advance(1_000);
      const seq = asked(link).at(-1) ?? 0;
      expect(seq).toBeGreaterThan(0);
      link.say(answer(seq));
      stage.clock.advance(500);
    }
    expect(stage.worker.isRunning).toBe(true);
    stage.clock.advance(1_500);
    expect(await stage.worker.closed).toMatchObject({ by: "lost", reason: expect.stringContaining("no sign of life") });
    expect(link.unaryCount).toBe(callsAtStart);
  });

  test("that is too busy to read its channel asks by a call instead, and does not lose its host", async () => {
    const dialer = new FakeDialer({ headers });
    const release = new Gate();
    const limits = { maxConcurrentHandlers: 1, maxParkedMessages: 1, keepAliveMs: 1_000, keepAliveTimeoutMs: 500 };
    await using stage = await openFakeStage(dialer, { ...limits, reconnect: false }, async (worker) => {
      worker.addMessageSerializer(MyMessage);
      await worker.registerFactory("a", () => new FunctionAgent(async () => await release.opened));
    });
    await settled();
    await settled();
    const link = dialer.link(1);
    // The question is under way when the worker stops reading.
    stage.clock.advance(1_000);
    for (const requestId of ["1", "2", "3"]) link.say(requestFrame("a/k", { requestId }));
    expect(link.isRead).toBe(false);
    const calls = link.unaryCount;
    for (let half = 0; half < 8; half += 1) {
      stage.clock.advance(500);
      await settled();
    }
    expect(link.unaryCount).toBeGreaterThan(calls);
    expect(stage.worker.isRunning).toBe(true);
    release.open();
  });

  test("asks no more when it leaves", async () => {
    const dialer = new FakeDialer({ headers });
    const stage = await openFakeStage(dialer, { heartbeatMs: 100 });
    await settled();
    const link = dialer.link(1);
    stage.clock.advance(300);
    expect(asked(link)).toHaveLength(3);
    await stage[Symbol.asyncDispose]();
    stage.clock.advance(1_000);
    expect(asked(link)).toHaveLength(3);
  });
});

test.each([
  ["a host that does not name them", { agtroupe: "1" }, 15_000],
  ["a host of a later version with other words", { agtroupe: "2", agcaps: "fly,,heartbeats" }, 15_000],
  ["a stock host, whatever its headers say", { agcaps: "heartbeat" }, 15_000],
  ["a host that sends no headers", undefined, 15_000],
  ["any host with heartbeatMs 0", headers, 0],
  ["any host with heartbeatMs Infinity", headers, Number.POSITIVE_INFINITY],
])("a worker sends no heartbeat to %s", async (_who, given, heartbeatMs) => {
  const dialer = new FakeDialer({ headers: given });
  await using stage = await openFakeStage(dialer, { heartbeatMs, controlChannel: "at-start" });
  await settled();
  stage.clock.advance(60_000);
  const { sent, streams } = dialer.link(1);
  expect(sent).toEqual([]);
  expect(streams.find(({ method }) => method === "OpenControlChannel")?.sent).toEqual([]);
  expect(streams[0]?.metadata.agcaps).toBe(
    heartbeatMs === 15_000
      ? "heartbeat,turns,states,claims,mail,lease,streams"
      : "turns,states,claims,mail,lease,streams",
  );
});

test("an event counts as arrived once the heartbeat behind it is answered", async () => {
  await using host = await new RawGrpcHost().listen();
  host.capabilities = "heartbeat";
  const options = { heartbeatMs: 20, keepAliveMs: 0, controlChannel: "when-needed", reconnect: false } as const;
  const worker = new GrpcWorkerAgentRuntime(host.address, { ...options, logger: new RecordingLogger() });
  worker.addMessageSerializer(MyMessage);
  await worker.start();
  const channel = await host.channels.take();
  await worker.publishMessage(MyMessage({ content: "1" }), new TopicId("t", "s"));
  for (;;) {
    const frame = await channel.received.take();
    if (frame.kind === "event") break;
  }
  let [answers, seen] = [0, 0];
  while (answers < 2) {
    const frame = await channel.received.take();
    if (frame.kind !== "heartbeat") continue;
    // The answer before has been read when the next question comes.
    if (seen > 0) answers += 1;
    seen = frame.seq;
    channel.send(answer(frame.seq));
  }
  channel.session?.destroy();
  await worker.closed;
  expect(worker.counters()).toMatchObject({ lostEvents: 0, unconfirmedEvents: 0 });
});

test("a call without any timeout ends after 330 s at a host that never answers, and the host learns of no timeout", async () => {
  const dialer = new FakeDialer({});
  await using stage = await openFakeStage(dialer, {}, async (worker) => {
    worker.addMessageSerializer(MyMessage);
    await worker.addSubscription(new TypeSubscription("t", "a")).catch(() => undefined);
  });
  await settled();
  const outcome = stage.worker.sendMessage(MyMessage({ content: "q" }), new AgentId("b", "k")).catch((error) => error);
  await settled();
  const request = dialer.link(1).sent[0];
  expect(request).toMatchObject({ kind: "request", metadata: {} });
  expect(request?.kind === "request" && Object.keys(request.metadata)).toEqual([]);
  stage.clock.advance(329_999);
  expect(stage.worker.pendingCallsCount).toBe(1);
  stage.clock.advance(1);
  expect(await outcome).toMatchObject({ code: "timed-out", message: expect.stringContaining("330000 ms") });
});

test("with defaultTimeoutMs Infinity a call waits as long as its host", async () => {
  const dialer = new FakeDialer({});
  await using stage = await openFakeStage(dialer, { defaultTimeoutMs: Number.POSITIVE_INFINITY }, async (worker) => {
    worker.addMessageSerializer(MyMessage);
  });
  await settled();
  const outcome = stage.worker.sendMessage(MyMessage({ content: "q" }), new AgentId("b", "k")).catch((error) => error);
  stage.clock.advance(10_000_000);
  expect(stage.worker.pendingCallsCount).toBe(1);
  await stage.worker.stop({ signal: AbortSignal.abort() });
  await outcome;
});
