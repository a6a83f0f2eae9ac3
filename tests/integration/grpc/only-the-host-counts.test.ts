import { constants } from "node:http2";
import { describe, expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, type GrpcWorkerAgentRuntimeOptions } from "../../../src/grpc/index.ts";
import type { WorkerStatus } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { type RawAnswer, type RawChannel, RawGrpcHost } from "../../support/raw-grpc-host.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";

const unauthenticated = { grpc: 16, text: "who are you?" };
const quick = { initialDelayMs: 1, maxDelayMs: 1 };
const topic = new TopicId("t", "s");

function workerOf(host: RawGrpcHost, options: GrpcWorkerAgentRuntimeOptions = {}): GrpcWorkerAgentRuntime {
  const worker = new GrpcWorkerAgentRuntime(host.address, {
    ...{ logger: new RecordingLogger(), halfCloseWaitMs: 20, controlChannel: "when-needed" },
    ...options,
  });
  worker.addMessageSerializer(MyMessage);
  return worker;
}

/** Notes each status until the worker is closed. */
function watched(worker: GrpcWorkerAgentRuntime): {
  readonly seen: WorkerStatus["at"][];
  readonly done: Promise<void>;
} {
  const seen: WorkerStatus["at"][] = [];
  const read = async () => {
    for await (const status of worker.status()) seen.push(status.at);
  };
  return { seen, done: read() };
}

/** A host that takes the first channel, and answers the later ones only when it has answered a sign of life. */
function refusingLater(host: RawGrpcHost, later: { grpc: number; text?: string } | { http: number }): void {
  const waiting: RawChannel[] = [];
  let isFirst = true;
  host.onChannel = (channel) => {
    if (isFirst) {
      isFirst = false;
      return "take";
    }
    waiting.push(channel);
    return "wait";
  };
  host.onCall = ({ method }) => {
    if (method !== "AreYouThere") return "take";
    // In a turn of its own: the worker seems to be connected by then.
    setImmediate(() => {
      for (const channel of waiting.splice(0)) channel.answer(later);
    });
    return { grpc: 12 };
  };
}

describe("a worker with a wrong token", () => {
  test("fails to start, says why, and was never connected", async () => {
    await using host = await new RawGrpcHost().listen();
    host.onChannel = () => unauthenticated;
    const worker = workerOf(host);
    const { seen, done } = watched(worker);
    await expect(worker.start()).rejects.toMatchObject({
      code: "not-authorized",
      message: expect.stringContaining("who are you?"),
    });
    await done;
    expect(seen).not.toContain("connected");
  });

  test("that its host stops accepting gives up after maxAttempts, though the host is alive", async () => {
    await using host = await new RawGrpcHost().listen();
    const worker = workerOf(host, { reconnect: { ...quick, maxAttempts: 3 } });
    await worker.start();
    const first = await host.channels.take();
    host.onChannel = () => unauthenticated;
    first.session?.destroy();
    expect(await worker.closed).toMatchObject({ by: "lost", reason: expect.stringContaining("who are you?") });
    expect(host.channels.rest).toHaveLength(3);
    expect(worker.counters().reconnections).toBe(0);
  });

  test("gives up after maxAttempts also at a host that takes its time to refuse", async () => {
    await using host = await new RawGrpcHost().listen();
    refusingLater(host, unauthenticated);
    const worker = workerOf(host, { reconnect: { ...quick, maxAttempts: 3 } });
    await worker.start();
    const first = await host.channels.take();
    first.session?.destroy();
    expect(await worker.closed).toMatchObject({ by: "lost", reason: expect.stringContaining("who are you?") });
    expect(host.channels.rest).toHaveLength(3);
  });
});

describe("a proxy that answers 502 for a dead host", () => {
  test("makes a start fail", async () => {
    await using host = await new RawGrpcHost().listen();
    host.onChannel = () => "wait";
    host.onCall = () => ({ http: 502 });
    const worker = workerOf(host);
    await expect(worker.start()).rejects.toMatchObject({
      code: "disconnected",
      message: expect.stringContaining("502"),
    });
  });

  test("is a failed attempt each time", async () => {
    await using host = await new RawGrpcHost().listen();
    const worker = workerOf(host, { reconnect: { ...quick, maxAttempts: 2 } });
    await worker.start();
    const first = await host.channels.take();
    host.onChannel = () => ({ http: 502 });
    host.onCall = () => ({ http: 502 });
    first.session?.destroy();
    expect(await worker.closed).toMatchObject({ by: "lost", reason: expect.stringContaining("502") });
    expect(host.channels.rest).toHaveLength(2);
  });

  test.each([
    ["HTTP 502", { http: 502 }],
    ["gRPC's UNAVAILABLE", { grpc: 14 }],
  ] as const)("is no sign of life: with %s a dead host is noticed", async (_name, answer) => {
    await using host = await new RawGrpcHost().listen();
    const worker = workerOf(host, { reconnect: false, keepAliveMs: 20, keepAliveTimeoutMs: 60 });
    await worker.start();
    host.onCall = () => answer;
    expect(await worker.closed).toMatchObject({ by: "lost", reason: expect.stringContaining("no sign of life") });
  });

  test("does not make a worker take its host for one of generation 1", async () => {
    await using host = await new RawGrpcHost().listen();
    host.onCall = () => ({ http: 404 });
    const worker = workerOf(host);
    await worker.registerFactory("a", () => new FunctionAgent());
    await expect(worker.start()).rejects.toThrow("404");
  });
});

test.each([
  ["that refuses the first channel after it was sent something", unauthenticated],
  ["behind a proxy that answers 502 for the first channel", { http: 502 }],
])("events published while the host was away reach a host %s, in their order", async (_name, refusal) => {
  await using host = await new RawGrpcHost().listen();
  const worker = workerOf(host, { reconnect: quick });
  await worker.start();
  const first = await host.channels.take();
  let refused = 0;
  let isBack = false;
  const cameBack = new Gate<RawChannel>();
  host.onChannel = (channel) => {
    if (!isBack) return { http: 502 };
    refused += 1;
    if (refused > 1) {
      cameBack.open(channel);
      return "take";
    }
    // It takes what it is sent, and then refuses the channel.
    void channel.received.takeMany(3).then(() => channel.answer(refusal));
    return "wait";
  };
  first.session?.destroy();
  for await (const status of worker.status()) if (status.at === "waiting") break;
  const publish = (content: string) => worker.publishMessage(MyMessage({ content }), topic);
  for (const content of ["1", "2", "3"]) await publish(content);
  isBack = true;
  const channel = await cameBack.opened;
  await publish("4");
  const frames = await channel.received.takeMany(4);
  const contents = frames.map((frame) => {
    const data = frame.kind === "event" ? frame.event.payload.data : new Uint8Array(0);
    return JSON.parse(new TextDecoder().decode(data)).content;
  });
  expect(contents).toEqual(["1", "2", "3", "4"]);
  expect(worker.counters()).toMatchObject({ lostEvents: 0, unconfirmedEvents: 0 });
  await worker.stop();
});

/** A host whose first channel takes a call and is then refused. Later channels are taken. */
function refusingOnce(host: RawGrpcHost, refusal: RawAnswer): void {
  let opened = 0;
  host.onChannel = (channel) => {
    opened += 1;
    if (opened > 1) return "take";
    void channel.received.take().then(() => channel.answer(refusal));
    return "wait";
  };
}

test.each<[string, RawAnswer]>([
  ["UNAUTHENTICATED", unauthenticated],
  ["REFUSED_STREAM", { reset: constants.NGHTTP2_REFUSED_STREAM }],
])("a call that a channel had taken that was refused with %s is sent again, and answered", async (_name, refusal) => {
  await using host = await new RawGrpcHost().listen();
  const worker = workerOf(host, { reconnect: quick });
  refusingOnce(host, refusal);
  await worker.start();
  await host.channels.take();
  const answer = worker.sendMessage(MyMessage({ content: "q" }), new AgentId("b", "k"));
  const second = await host.channels.take();
  const request = await second.received.take();
  if (request.kind !== "request") throw new Error(`a ${request.kind} came`);
  second.send({ kind: "response", requestId: request.requestId, payload: undefined, error: "", metadata: {} });
  expect(await answer).toBeUndefined();
  await worker.stop();
});

// Such a host sends no headers. It may have given the call to its target, and end the channel with such a status later.
test.each<[string, RawAnswer]>([
  ["UNAVAILABLE", { grpc: 14 }],
  ["RESOURCE_EXHAUSTED", { grpc: 8 }],
  ["HTTP 503", { http: 503 }],
])("a call that a host may have handled before it said %s fails, and no host gets it twice", async (_name, refusal) => {
  await using host = await new RawGrpcHost().listen();
  const worker = workerOf(host, { reconnect: quick });
  refusingOnce(host, refusal);
  await worker.start();
  await host.channels.take();
  const answer = worker.sendMessage(MyMessage({ content: "q" }), new AgentId("b", "k"));
  await expect(answer).rejects.toMatchObject({
    code: "disconnected",
    message: expect.stringContaining("The call may have been handled"),
  });
  const second = await host.channels.take();
  await worker.publishMessage(MyMessage({ content: "later" }), topic);
  expect((await second.received.take()).kind).toBe("event");
  expect(worker.pendingCallsCount).toBe(0);
  await worker.stop();
});
