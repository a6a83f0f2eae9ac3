import { install } from "@sinonjs/fake-timers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  handlerTable,
  RoutedAgent,
  SingleThreadedAgentRuntime,
  TimedOutError,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { startTestHost } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { RawGrpcHost } from "../../support/raw-grpc-host.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const Ask = defineMessage("Ask", z.object({ text: z.string() }));

class Echo extends RoutedAgent {
  static override readonly handlers = handlerTable<Echo>().message(Ask, (ask) => ask);
}

/** Answers with the end of its signal only. Tells when it has been asked. */
function silentAgent() {
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  class Silent extends RoutedAgent {
    static override readonly handlers = handlerTable<Silent>().rpc(Ask, (_ask, { signal }) => {
      isAsked();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
  }
  return { Silent, asked };
}

const echoId = new AgentId("echo", "default");

/** The fake timers that people use. Each freezes time, and returns what moves it. */
const fakeTimers = {
  vitest: () => {
    vi.useFakeTimers();
    return { tick: (ms: number) => vi.advanceTimersByTimeAsync(ms), end: () => void vi.useRealTimers() };
  },
  // Jest also fakes `process.nextTick` of its tests. Here that would stop Node itself; examples/projects/jest tries it.
  Jest: () => {
    const clock = install({ toNotFake: ["nextTick"] });
    return { tick: (ms: number) => clock.tickAsync(ms), end: () => clock.uninstall() };
  },
};

const { setImmediate: realImmediate } = globalThis;
const realTurn = () => new Promise<void>((resolve) => realImmediate(resolve));

let endFakes = () => {};
afterEach(() => endFakes());

describe.each(Object.entries(fakeTimers))("under the fake timers of %s", (_name, start) => {
  function freeze() {
    const { tick, end } = start();
    endFakes = end;
    return tick;
  }

  test("processNext handles a message", async () => {
    freeze();
    const runtime = new SingleThreadedAgentRuntime();
    await Echo.register(runtime, "echo", () => new Echo("echoes"));
    const call = runtime.sendMessage(Ask({ text: "x" }), echoId);
    await runtime.processNext();
    await runtime.processNext();
    expect(await call).toEqual(Ask({ text: "x" }));
  });

  test("stopWhen sees a condition that no message changes", async () => {
    freeze();
    const runtime = new SingleThreadedAgentRuntime();
    await runtime.start();
    let isOver = false;
    const stopped = runtime.stopWhen(() => isOver);
    isOver = true;
    await stopped;
  });

  test("a runtime handles more messages than one turn takes", async () => {
    freeze();
    await using runtime = new SingleThreadedAgentRuntime();
    let count = 0;
    class Counter extends RoutedAgent {
      static override readonly handlers = handlerTable<Counter>().event(Ask, () => {
        count += 1;
      });
    }
    await Counter.register(runtime, "counter", () => new Counter("counts"));
    await runtime.addSubscription(new TypeSubscription("jobs", "counter"));
    for (let i = 0; i < 20_000; i += 1) void runtime.publishMessage(Ask({ text: "x" }), new TopicId("jobs", "1"));
    await runtime.start();
    await runtime.stopWhenIdle();
    expect(count).toBe(20_000);
  });

  test("a time limit passes when the test moves the time", async () => {
    const tick = freeze();
    await using runtime = new SingleThreadedAgentRuntime();
    const { Silent, asked } = silentAgent();
    await Silent.register(runtime, "silent", () => new Silent("does not answer"));
    await runtime.start();
    const call = runtime.sendMessage(Ask({ text: "x" }), new AgentId("silent", "1"), { timeoutMs: 5_000 });
    const outcome = expect(call).rejects.toThrow(TimedOutError);
    await asked;
    await tick(5_000);
    await outcome;
  });

  test("a test host and its worker start, talk, time out and stop", async () => {
    const tick = freeze();
    const host = await startTestHost();
    const worker = new WorkerRuntime(host);
    await worker.start();
    await Echo.register(worker, "echo", () => new Echo("echoes"));
    const { Silent, asked } = silentAgent();
    await Silent.register(worker, "silent", () => new Silent("does not answer"));
    expect(await worker.sendMessage(Ask({ text: "x" }), echoId)).toEqual(Ask({ text: "x" }));
    const call = worker.sendMessage(Ask({ text: "x" }), new AgentId("silent", "1"), { timeoutMs: 5_000 });
    const outcome = expect(call).rejects.toThrow(TimedOutError);
    await asked;
    await tick(5_000);
    await outcome;
    await worker.stop();
    await host[Symbol.asyncDispose]();
  });

  test("a test host does the long work of a worker's end", async () => {
    freeze();
    await using host = await startTestHost();
    const worker = new WorkerRuntime(host);
    await worker.start();
    await Echo.register(worker, "echo", () => new Echo("echoes"));
    const subscriptions = Array.from({ length: 1_200 }, (_, i) => new TypeSubscription(`topic${i}`, "echo"));
    await Promise.all(subscriptions.map((subscription) => worker.addSubscription(subscription)));
    await worker.stop();
    while (host.host.counters().subscriptions > 0) await realTurn();
  });
});

test("under vitest's fake timers a worker and a host talk over gRPC, however far the time moves", async () => {
  vi.useFakeTimers();
  endFakes = () => void vi.useRealTimers();
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  const worker = new GrpcWorkerAgentRuntime(host.address);
  await worker.start();
  await Echo.register(worker, "echo", () => new Echo("echoes"));
  const { clientId } = await statusOf(worker);
  // Keep-alive and heartbeats of both ends do not notice.
  for (let hours = 0; hours < 5; hours += 1) vi.advanceTimersByTime(3_600_000);
  expect(await worker.sendMessage(Ask({ text: "x" }), echoId)).toEqual(Ask({ text: "x" }));
  expect((await statusOf(worker)).clientId, "the connection is the same").toBe(clientId);
  await worker.stop();
  await host.stop();
});

test("under vitest's fake timers a worker asks a silent host in real time, and comes back when the time moves", async () => {
  vi.useFakeTimers();
  endFakes = () => void vi.useRealTimers();
  await using host = await new RawGrpcHost().listen();
  host.capabilities = "heartbeat";
  const quick = { keepAliveMs: 30, keepAliveTimeoutMs: 50, heartbeatMs: 20, controlChannel: "when-needed" } as const;
  const worker = new GrpcWorkerAgentRuntime(host.address, { ...quick, logger: new RecordingLogger() });
  await worker.start();
  const channel = await host.channels.take();
  expect(await channel.received.take(), "a heartbeat").toMatchObject({ kind: "heartbeat", isAnswer: false });
  // It never answers.
  for await (const { at } of worker.status()) if (at === "waiting") break;
  const isBack = host.channels.take();
  vi.advanceTimersByTime(5_000);
  await isBack;
  const stopped = worker.stop({ signal: AbortSignal.abort() });
  await tickUntil(stopped);
});

/** Moves the fake time until the promise is settled. */
async function tickUntil(promise: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = promise.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await realTurn();
    vi.advanceTimersByTime(100);
  }
  await over;
}

async function statusOf(worker: WorkerRuntime) {
  for await (const status of worker.status()) if (status.at === "connected") return status;
  throw new Error("The worker has ended.");
}
