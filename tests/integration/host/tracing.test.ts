import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { postOf } from "../../../src/core/courier/agent-post.ts";
import {
  AgentId,
  type AgentRuntime,
  defineState,
  type MessageContext,
  type MessageOf,
  persistentAgent,
  rpc,
  SingleThreadedAgentRuntime,
  TopicId,
  type Tracing,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Host, type HostOptions } from "../../../src/host/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { openTelemetryHostTracing, openTelemetryTracing } from "../../../src/telemetry/otel/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { type WorkerOptions, WorkerRuntime } from "../../../src/worker/index.ts";
import { linkedTransports } from "../../support/linked-hosts.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";

const message = MyMessage({ content: "hi" });

class Recorder {
  readonly exporter = new InMemorySpanExporter();
  readonly provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] });

  get tracing(): Tracing {
    const tracing = openTelemetryTracing({ tracerProvider: this.provider });
    if (tracing === undefined) throw new Error("The provider records nothing.");
    return tracing;
  }

  all(): readonly ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  named(name: string): readonly ReadableSpan[] {
    return this.all().filter((span) => span.name === name);
  }

  one(name: string): ReadableSpan {
    const [found, ...others] = this.named(name);
    if (found !== undefined && others.length === 0) return found;
    throw new Error(`${others.length} spans ${name} among ${this.all().map((span) => span.name)}`);
  }

  childrenOf(parent: ReadableSpan): readonly ReadableSpan[] {
    return this.all().filter((span) => span.parentSpanContext?.spanId === parent.spanContext().spanId);
  }
}

const Lines = defineState(z.object({ lines: z.number() }), { initial: { lines: 0 } });

/** In one turn it sends all that a commit may carry. */
class Ledger extends persistentAgent(Lines) {
  @rpc(MyMessage)
  async note(noted: MessageOf<typeof MyMessage>, { reminder, signal }: MessageContext) {
    this.state.lines += 1;
    if (reminder !== undefined) {
      await this.tell(noted, new AgentId("last", "k"));
      return;
    }
    await this.publishMessage(noted, new TopicId("news", "k"), { signal });
    await this.publishMessage(noted, new TopicId("orders", "k"), { signal, delivery: "durable" });
    await this.tell(noted, new AgentId("friend", "k"));
    await this.remindMe("later", { after: 1 }, noted);
  }
}

/** Registers what the ledger's messages go to. The promise resolves when all have come: the last one is told by the reminder. */
async function receiversOf(worker: AgentRuntime): Promise<{ readonly handled: Promise<void> }> {
  const awaited = new Set(["reader", "clerk", "friend", "last"]);
  let told = (): void => {};
  const all = new Promise<void>((resolve) => {
    told = resolve;
  });
  for (const type of awaited)
    await worker.registerFactory(type, () => {
      return new FunctionAgent(() => {
        awaited.delete(type);
        if (awaited.size === 0) told();
      });
    });
  await worker.addSubscription(new TypeSubscription("news", "reader"));
  await worker.addSubscription(new TypeSubscription("orders", "clerk", { durable: true }));
  return { handled: all };
}

/** Each effect of the ledger's first turn was made in its span, and is followed by what handled it. Returns the id of the trace. */
function expectLinked(recorder: Recorder): string {
  const call = recorder.one("autogen create ledger.(k)-A");
  const { traceId } = call.spanContext();
  const [turn, tick] = recorder.named("autogen process ledger.(k)-A");
  expect(turn?.links.map(({ context }) => context.spanId)).toEqual([call.spanContext().spanId]);
  for (const [made, receiver] of [
    ["news.(k)-T", "reader.(k)-A"],
    ["orders.(k)-T", "clerk.(k)-A"],
    ["friend.(k)-A", "friend.(k)-A"],
  ]) {
    const create = recorder.one(`autogen create ${made}`);
    expect(create.parentSpanContext?.spanId, made).toBe(turn?.spanContext().spanId);
    const process = recorder.one(`autogen process ${receiver}`);
    expect(
      process.links.map(({ context }) => context.spanId),
      receiver,
    ).toEqual([create.spanContext().spanId]);
    expect(process.spanContext().traceId, receiver).toBe(traceId);
  }
  expect(tick?.links.map(({ context }) => context.traceId)).toEqual([traceId]);
  expect(tick?.spanContext().traceId).toBe(traceId);
  return traceId;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

async function rig(recorder: Recorder, given: { readonly worker?: WorkerOptions; readonly host?: HostOptions } = {}) {
  const opened = new Opened();
  const network = createMemoryNetwork();
  const tracing = openTelemetryHostTracing({ tracerProvider: recorder.provider });
  const host = opened.use(new Host({ listener: network, address: "host:1" }, { tracing, ...given.host }));
  await host.start();
  const ofWorker = openTelemetryTracing({ tracerProvider: recorder.provider });
  const worker = opened.use(
    new WorkerRuntime({
      ...{ dialer: network, address: "host:1" },
      ...{ tracing: ofWorker, drainTimeoutMs: 0, ...given.worker },
    }),
  );
  await worker.start();
  return { host, worker, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

describe("the spans of a host", () => {
  it("show how a call was received, routed, queued and delivered, in the trace of its caller", async () => {
    const recorder = new Recorder();
    await using system = await rig(recorder);
    await system.worker.registerFactory("a", () => new FunctionAgent());
    await system.worker.sendMessage(message, new AgentId("a", "k"));
    const receive = recorder.one("troupe receive a.(k)-A");
    const create = recorder.one("autogen create a.(k)-A");
    expect(receive.parentSpanContext?.spanId).toBe(create.spanContext().spanId);
    expect(receive.attributes["troupe.outcome"]).toBe("answered");
    const children = recorder.childrenOf(receive).map(({ name }) => name);
    expect(children).toEqual(["troupe route", "troupe queue", "troupe deliver"]);
    const traces = new Set(recorder.all().map((span) => span.spanContext().traceId));
    expect(traces.size).toBe(1);
  });

  it("show that the call to an agent of a shared type was placed", async () => {
    const recorder = new Recorder();
    await using system = await rig(recorder);
    await system.worker.registerFactory("s", () => new FunctionAgent(), { shared: true });
    await system.worker.sendMessage(message, new AgentId("s", "k"));
    const children = recorder.childrenOf(recorder.one("troupe receive s.(k)-A")).map(({ name }) => name);
    expect(children).toEqual(["troupe place", "troupe queue", "troupe deliver"]);
  });

  it("name the error of a call that the host fails", async () => {
    const recorder = new Recorder();
    await using system = await rig(recorder, { host: { callTimeoutMs: 20 } });
    await system.worker.registerFactory("a", () => new FunctionAgent(() => new Promise(() => {})));
    await expect(system.worker.sendMessage(message, new AgentId("a", "k"))).rejects.toThrow();
    const receive = recorder.one("troupe receive a.(k)-A");
    expect(receive.status).toMatchObject({ message: "timed-out" });
  });

  it("show to how many workers an event went", async () => {
    const recorder = new Recorder();
    await using system = await rig(recorder);
    const handled = new Promise<void>((resolve) => {
      void system.worker.registerFactory("a", () => new FunctionAgent(() => resolve()));
    });
    await system.worker.addSubscription(new TypeSubscription("news", "a"));
    await system.worker.publishMessage(message, new TopicId("news", "k"));
    await handled;
    const receive = recorder.one("troupe receive news");
    expect(receive.attributes["troupe.workers"]).toBe(1);
    expect(recorder.childrenOf(receive).map(({ name }) => name)).toEqual(["troupe queue"]);
    expect(receive.parentSpanContext?.spanId).toBe(recorder.one("autogen create news.(k)-T").spanContext().spanId);
  });

  it("are none for a message without a trace", async () => {
    const recorder = new Recorder();
    await using system = await rig(recorder, { worker: { tracing: undefined } });
    await system.worker.registerFactory("a", () => new FunctionAgent());
    await system.worker.sendMessage(message, new AgentId("a", "k"));
    expect(recorder.all()).toEqual([]);
  });

  it("are none for a trace that its sender does not record", async () => {
    const recorder = new Recorder();
    const tracerProvider = new BasicTracerProvider({ sampler: new AlwaysOffSampler() });
    const tracing = openTelemetryTracing({ tracerProvider });
    await using system = await rig(recorder, { worker: { tracing } });
    await system.worker.registerFactory("a", () => new FunctionAgent());
    await system.worker.sendMessage(message, new AgentId("a", "k"));
    expect(recorder.all()).toEqual([]);
  });
});

describe("a trace goes on", () => {
  it("through told messages and reminders to their handlers", async () => {
    const recorder = new Recorder();
    await using system = await rig(recorder);
    const { worker } = system;
    let told = (): void => {};
    const handled = new Promise<void>((resolve) => {
      told = resolve;
    });
    const handling: { readonly at: string; readonly traceId: string | undefined }[] = [];
    await worker.registerFactory("a", () => {
      return new FunctionAgent(async (_message, context, agent) => {
        const traceId = recorder.tracing.inject().traceparent?.split("-")[1];
        handling.push({ at: context.reminder === undefined ? "told" : "reminded", traceId });
        if (context.reminder !== undefined) return told();
        await postOf(agent.runtime).remind(agent.id, "later", { after: 1 }, message, {});
      });
    });
    await worker.tell(message, new AgentId("a", "k"));
    await handled;
    const { traceId } = recorder.one("autogen create a.(k)-A").spanContext();
    expect(handling).toEqual([
      { at: "told", traceId },
      { at: "reminded", traceId },
    ]);
  });

  it("through a commit: its events, durable or not, told messages and reminders link to the turn that made them", async () => {
    const recorder = new Recorder();
    await using system = await rig(recorder);
    const { worker } = system;
    const { handled } = await receiversOf(worker);
    await Ledger.register(worker, "ledger", () => new Ledger("keeps and tells"));
    await worker.sendMessage(message, new AgentId("ledger", "k"));
    await handled;
    await worker.stop();
    const traceId = expectLinked(recorder);
    // The host shows the event that rode as those that come by themselves.
    const receive = recorder.one("troupe receive news");
    expect(receive.parentSpanContext?.spanId).toBe(recorder.one("autogen create news.(k)-T").spanContext().spanId);
    expect(new Set(recorder.all().map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
  });

  it("through a commit in one process", async () => {
    const recorder = new Recorder();
    await using runtime = new SingleThreadedAgentRuntime({ tracing: recorder.tracing });
    const { handled } = await receiversOf(runtime);
    await Ledger.register(runtime, "ledger", () => new Ledger("keeps and tells"));
    void runtime.start();
    await runtime.sendMessage(message, new AgentId("ledger", "k"));
    await handled;
    await runtime.close();
    expectLinked(recorder);
  });

  it("nowhere from a commit whose worker records nothing: it carries no trace context", async () => {
    const recorder = new Recorder();
    const store = new MemoryStateStore();
    const committed: string[] = [];
    const commit = store.commit.bind(store);
    store.commit = (commits) => {
      committed.push(JSON.stringify(commits, (_, value) => (value instanceof Uint8Array ? latin1(value) : value)));
      return commit(commits);
    };
    await using system = await rig(recorder, { worker: { tracing: undefined }, host: { stateStore: store } });
    const { handled } = await receiversOf(system.worker);
    await Ledger.register(system.worker, "ledger", () => new Ledger("keeps and tells"));
    await system.worker.sendMessage(message, new AgentId("ledger", "k"));
    await handled;
    expect(committed.length).toBeGreaterThan(0);
    expect(committed.join("\n")).toContain("MyMessage");
    expect(committed.join("\n")).not.toContain("traceparent");
    expect(recorder.all()).toEqual([]);
  });

  it("through the hosts of a cluster", async () => {
    const recorder = new Recorder();
    const [inMemory] = linkedTransports;
    const tracing = openTelemetryHostTracing({ tracerProvider: recorder.provider });
    await using rig = await inMemory?.start({ host: { tracing } });
    if (rig === undefined) throw new Error("There is no transport.");
    const target = await new RawWorker(rig.two.dial(), "T").join();
    await target.register("a");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    caller.request("1", "a/k", { metadata: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
    const { requestId } = await target.nextRequest();
    target.respond(requestId, "done");
    await caller.nextResponse();
    const [one, two] = recorder.named("troupe receive a.(k)-A");
    expect([one?.spanContext().traceId, two?.spanContext().traceId]).toEqual([traceId, traceId]);
    expect(recorder.named("troupe deliver")).toHaveLength(2);
  });
});
