import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { AgentId, defineState, persistentAgent, rpc, TopicId, TypeSubscription } from "../../src/core/index.ts";
import { Host, type HostOccurrence, type HostOptions } from "../../src/host/index.ts";
import { operationsOf } from "../../src/host/internal.ts";
import { hostMetrics } from "../../src/host/metrics/host-metric-table.ts";
import { measureHost } from "../../src/host/metrics/measure-host.ts";
import { eventLoopMetrics } from "../../src/telemetry/otel/event-loop-metrics.ts";
import { openTelemetryMetrics } from "../../src/telemetry/otel/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { createMemoryNetwork } from "../../src/transport/index.ts";
import { type WorkerOptions, WorkerRuntime } from "../../src/worker/index.ts";
import { workerHistograms, workerMetrics } from "../../src/worker/metrics/worker-metric-table.ts";
import { Gate } from "../support/gate.ts";
import { GatedStore } from "../support/gated-store.ts";
import { Inbox } from "../support/inbox.ts";
import { MetricsRecorder } from "../support/metrics-recorder.ts";
import { Opened } from "../support/opened.ts";
import { FunctionAgent } from "../support/worker/function-agent.ts";
import { MyMessage } from "../support/worker/messages.ts";

const message = MyMessage({ content: "hi" });

interface Given {
  readonly host?: HostOptions;
  readonly worker?: WorkerOptions;
}

const Count = defineState(z.object({ count: z.number() }), { initial: { count: 0 } });

class Counter extends persistentAgent(Count) {
  @rpc(MyMessage)
  async count() {
    this.state.count += 1;
  }
}

async function rig(
  parts: { readonly host?: MetricsRecorder; readonly worker?: MetricsRecorder } = {},
  given: Given = {},
) {
  const opened = new Opened();
  const network = createMemoryNetwork();
  const host = opened.use(
    new Host({ listener: network, address: "host:1" }, { metrics: parts.host?.metrics, ...given.host }),
  );
  await host.start();
  const worker = opened.use(
    new WorkerRuntime({ dialer: network, address: "host:1", metrics: parts.worker?.metrics, ...given.worker }),
  );
  await worker.start();
  await worker.registerFactory("good", () => new FunctionAgent());
  await worker.registerFactory("bad", () => new FunctionAgent(() => Promise.reject(new Error("no"))));
  return { host, worker, network, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

describe("the metrics of a host", () => {
  it("count calls by their outcome, and measure them by the type of their agent", async () => {
    const recorder = new MetricsRecorder();
    await using system = await rig({ host: recorder });
    const { worker, host } = system;
    await worker.sendMessage(message, new AgentId("good", "k"));
    await expect(worker.sendMessage(message, new AgentId("bad", "k"))).rejects.toThrow();
    await expect(worker.sendMessage(message, new AgentId("nobody", "k"))).rejects.toThrow();
    expect(await recorder.value("troupe.host.calls", { outcome: "answered" })).toBe(2);
    expect(await recorder.value("troupe.host.calls", { outcome: "failed" })).toBe(1);
    expect(await recorder.value("troupe.host.call.duration", { type: "good" })).toBe(1);
    expect(await recorder.value("troupe.host.call.duration", { type: "bad" })).toBe(1);
    // The caller alone has chosen the name of a type that no worker serves.
    expect(await recorder.values("troupe.host.call.duration")).toHaveLength(2);
    expect(await recorder.value("troupe.host.calls.by.type", { type: "good", outcome: "answered" })).toBe(1);
    expect(await recorder.value("troupe.host.sessions", { channel: "data" })).toBe(1);
    expect(await recorder.value("troupe.host.ready")).toBe(1);
    await host.stop({ graceMs: 0 });
    // The next collection reads the last values, and then no more.
    expect(await recorder.value("troupe.host.ready")).toBe(0);
    const read = vi.spyOn(host, "counters");
    await recorder.names();
    expect(read).not.toHaveBeenCalled();
  });

  it("say how old the oldest call is", async () => {
    const recorder = new MetricsRecorder();
    await using system = await rig({ host: recorder });
    let [answer, begun] = [(): void => {}, (): void => {}];
    const answering = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const handling = new Promise<void>((resolve) => {
      begun = resolve;
    });
    await system.worker.registerFactory(
      "slow",
      () =>
        new FunctionAgent(() => {
          begun();
          return answering;
        }),
    );
    expect(await recorder.value("troupe.host.calls.oldest")).toBe(0);
    const call = system.worker.sendMessage(message, new AgentId("slow", "k"));
    await handling;
    expect(await recorder.value("troupe.host.calls.oldest")).toBeGreaterThan(0);
    expect(await recorder.value("troupe.host.calls.pending")).toBe(1);
    answer();
    await call;
    expect(await recorder.value("troupe.host.calls.oldest")).toBe(0);
  });

  it("say how old the oldest entry of each queue is, as collections have seen it", async () => {
    const [recorder, clock, stateStore] = [new MetricsRecorder(), new ManualClock(), new GatedStore({})];
    await using system = await rig({ host: recorder }, { host: { clock, stateStore, heartbeatTimeoutMs: 0 } });
    const { worker } = system;
    const ages = async () =>
      Object.fromEntries(
        (await recorder.values("troupe.host.queue.age")).map(({ labels, value }) => [labels.queue, value]),
      );
    expect(await ages()).toEqual({ workers: 0, links: 0, commits: 0, mail: 0 });
    await Counter.register(worker, "counter", () => new Counter("counts"));
    const answer = worker.sendMessage(message, new AgentId("counter", "k"));
    const { write } = await stateStore.commits.take();
    expect(await ages()).toMatchObject({ commits: 0 });
    clock.advance(5_000);
    expect(await ages()).toMatchObject({ commits: 5 });
    stateStore.openGate();
    write();
    await answer;
    // No worker serves the type.
    await worker.tell(message, new AgentId("nobody", "k"));
    clock.advance(7_000);
    let told = await ages();
    // The host may still read the message from its store.
    while (told.mail === 0) told = await ages();
    expect(told).toEqual({ workers: 0, links: 0, commits: 0, mail: 7 });
  });

  it("read the queues of sessions and links by what has come and what waits", async () => {
    const recorder = new MetricsRecorder();
    const [session, link] = [
      { sentFrames: 3, queuedFrames: 1 },
      { entered: 9, waiting: 2, key: {} },
    ];
    let nowMs = 0;
    const commits = { key: {}, entered: 0, waiting: 0 };
    await using system = await rig();
    const end = measureHost(recorder.metrics, {
      counters: () => system.host.counters(),
      ...{ oldestCallMs: () => 0, isReady: () => true, observe: () => () => undefined, now: () => nowMs },
      queues: () => ({ sessions: [session], links: [link], commits, mailMs: 0 }),
    });
    await recorder.names();
    nowMs = 4_000;
    expect(await recorder.value("troupe.host.queue.age", { queue: "workers" })).toBe(4);
    expect(await recorder.value("troupe.host.queue.age", { queue: "links" })).toBe(4);
    session.queuedFrames = 0;
    expect(await recorder.value("troupe.host.queue.age", { queue: "workers" })).toBe(0);
    end();
  });

  it("give one label to all types beyond the first 100", async () => {
    const recorder = new MetricsRecorder();
    await using system = await rig({ host: recorder, worker: recorder });
    for (let index = 0; index < 110; index += 1) {
      await system.worker.registerFactory(`type-${index}`, () => new FunctionAgent());
      await system.worker.sendMessage(message, new AgentId(`type-${index}`, "k"));
    }
    for (const name of ["troupe.host.call.duration", "troupe.worker.handler.duration", "troupe.worker.call.duration"]) {
      const values = await recorder.values(name);
      expect(values).toHaveLength(101);
      expect(values.find(({ labels }) => labels.type === "other")?.value).toBe(10);
    }
  });

  it("count calls to an agent type named other with those to the further types", async () => {
    const recorder = new MetricsRecorder();
    await using system = await rig({ host: recorder });
    for (const type of ["other", ...Array.from({ length: 102 }, (_, index) => `type-${index}`)]) {
      await system.worker.registerFactory(type, () => new FunctionAgent());
      await system.worker.sendMessage(message, new AgentId(type, "k"));
    }
    await system.worker.sendMessage(message, new AgentId("other", "k"));
    const values = await recorder.values("troupe.host.calls.by.type");
    const others = values.filter(({ labels }) => labels.type === "other" && labels.outcome === "answered");
    expect(others.map(({ value }) => value)).toEqual([4]);
  });

  it("begin when an operator asks for them, and know no call that came before", async () => {
    const recorder = new MetricsRecorder();
    await using system = await rig();
    await system.worker.sendMessage(message, new AgentId("good", "k"));
    const end = operationsOf(system.host.servicer).measure(recorder.metrics);
    await system.worker.sendMessage(message, new AgentId("good", "k"));
    expect(await recorder.value("troupe.host.calls", { outcome: "answered" })).toBe(2);
    expect(await recorder.value("troupe.host.call.duration", { type: "good" })).toBe(1);
    end();
    await system.worker.sendMessage(message, new AgentId("good", "k"));
    expect(await recorder.value("troupe.host.call.duration", { type: "good" })).toBe(1);
  });
});

describe("the metrics of a worker", () => {
  it("measure handlers by type, kind and outcome, and calls by type and outcome", async () => {
    const recorder = new MetricsRecorder();
    await using system = await rig({ worker: recorder });
    const { worker } = system;
    await worker.addSubscription(new TypeSubscription("news", "good"));
    await worker.sendMessage(message, new AgentId("good", "k"));
    await expect(worker.sendMessage(message, new AgentId("bad", "k"))).rejects.toThrow();
    await worker.publishMessage(message, new TopicId("news", "k"));
    await worker.stop();
    const handled = (labels: object) => recorder.value("troupe.worker.handled", { ...labels });
    expect(await handled({ type: "good", kind: "call", outcome: "done" })).toBe(1);
    expect(await handled({ type: "bad", kind: "call", outcome: "failed" })).toBe(1);
    expect(await recorder.value("troupe.worker.calls", { type: "good", outcome: "done" })).toBe(1);
    expect(await recorder.value("troupe.worker.calls", { type: "bad", outcome: "failed" })).toBe(1);
  });

  it("say how many agents are live and whether there is a host, and end with the worker", async () => {
    const recorder = new MetricsRecorder();
    await using system = await rig({ worker: recorder });
    await system.worker.sendMessage(message, new AgentId("good", "1"));
    await system.worker.sendMessage(message, new AgentId("good", "2"));
    expect(await recorder.value("troupe.worker.agents")).toBe(2);
    expect(await recorder.value("troupe.worker.connected")).toBe(1);
    await system.worker.stop();
    expect(await recorder.value("troupe.worker.connected")).toBe(0);
    expect(await recorder.value("troupe.worker.agents")).toBe(0);
    await system.worker.start();
    expect(await recorder.value("troupe.worker.connected")).toBe(1);
  });
});

describe("the age of turns", () => {
  it("is that of the oldest message that waits for its turn, as collections have seen it", async () => {
    const [recorder, clock] = [new MetricsRecorder(), new ManualClock()];
    await using system = await rig({ worker: recorder }, { worker: { clock, heartbeatMs: 0, keepAliveMs: 0 } });
    const gates = [new Gate(), new Gate(), new Gate()];
    const begun = new Inbox<number>();
    let turns = 0;
    await system.worker.registerFactory(
      "serial",
      () =>
        new FunctionAgent(() => {
          begun.put(turns);
          return gates[turns++]?.opened;
        }),
      { concurrency: "sequential" },
    );
    const age = () => recorder.value("troupe.worker.turns.age");
    const send = () => system.worker.sendMessage(message, new AgentId("serial", "k"));
    const answers = [send()];
    await begun.take();
    expect(await age()).toBe(0);
    answers.push(send(), send());
    // The worker answers its own host in order: the two wait when this call is answered.
    await system.worker.sendMessage(message, new AgentId("good", "k"));
    expect(await age()).toBe(0);
    clock.advance(3_000);
    expect(await age()).toBe(3);
    gates[0]?.open();
    await begun.take();
    clock.advance(2_000);
    expect(await age(), "the third message").toBe(5);
    for (const gate of gates) gate.open();
    await Promise.all(answers);
    expect(await age()).toBe(0);
  });
});

it("reports a value for each metric of a lone host, of a worker and of the event loop", async () => {
  const recorder = new MetricsRecorder();
  await using system = await rig({ host: recorder, worker: recorder });
  await system.worker.sendMessage(message, new AgentId("good", "k"));
  const names = new Set(await recorder.names());
  const expected = [...Object.keys(hostMetrics), ...Object.keys(workerMetrics), ...Object.keys(eventLoopMetrics)];
  expect(expected.filter((name) => !names.has(name) && !name.startsWith("troupe.host.cluster."))).toEqual([]);
  expect(names).toContain("troupe.host.call.duration");
  for (const name of Object.keys(workerHistograms)) expect(names).toContain(name);
});

it("measures nothing without a provider", () => {
  expect(openTelemetryMetrics()).toBeUndefined();
});

it("tells a listener that comes late of nothing that came before", async () => {
  await using system = await rig();
  const seen: HostOccurrence[] = [];
  const end = operationsOf(system.host.servicer).observe((what) => void seen.push(what));
  await system.worker.sendMessage(message, new AgentId("good", "k"));
  end();
  await system.worker.sendMessage(message, new AgentId("good", "k"));
  expect(seen.filter(({ at }) => at === "call")).toEqual([
    expect.objectContaining({ at: "call", outcome: "answered", targetType: "good" }),
  ]);
});
