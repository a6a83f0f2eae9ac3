import { describe, expect, it, vi } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../src/core/index.ts";
import { Host, type HostOccurrence } from "../../src/host/index.ts";
import { operationsOf } from "../../src/host/internal.ts";
import { hostMetrics } from "../../src/host/metrics/host-metric-table.ts";
import { eventLoopMetrics } from "../../src/telemetry/otel/event-loop-metrics.ts";
import { openTelemetryMetrics } from "../../src/telemetry/otel/index.ts";
import { createMemoryNetwork } from "../../src/transport/index.ts";
import { WorkerRuntime } from "../../src/worker/index.ts";
import { workerHistograms, workerMetrics } from "../../src/worker/metrics/worker-metric-table.ts";
import { MetricsRecorder } from "../support/metrics-recorder.ts";
import { Opened } from "../support/opened.ts";
import { FunctionAgent } from "../support/worker/function-agent.ts";
import { MyMessage } from "../support/worker/messages.ts";

const message = MyMessage({ content: "hi" });

async function rig(parts: { readonly host?: MetricsRecorder; readonly worker?: MetricsRecorder } = {}) {
  const opened = new Opened();
  const network = createMemoryNetwork();
  const host = opened.use(new Host({ listener: network, address: "host:1" }, { metrics: parts.host?.metrics }));
  await host.start();
  const worker = opened.use(new WorkerRuntime({ dialer: network, address: "host:1", metrics: parts.worker?.metrics }));
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
