import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../src/core/index.ts";
import { decodeFrame, emptyMessage, encodeFrame } from "../../src/protocol/index.ts";
import { openTelemetryTracing, workerRuntimeTracer } from "../../src/telemetry/otel/index.ts";
import { grpcDialer } from "../../src/transport/index.ts";
import { WorkerRuntime } from "../../src/worker/index.ts";
import { Gate } from "../support/gate.ts";
import { FunctionAgent } from "../support/worker/function-agent.ts";
import { Ask, MyMessage, Reply } from "../support/worker/messages.ts";
import { startRig } from "../support/worker/worker-rig.ts";
import { CapturedHost } from "./support/captured-host.ts";
import { readJson } from "./support/proto-json.ts";

const traceparentOf = ({ traceId, spanId }: { readonly traceId: string; readonly spanId: string }) =>
  `00-${traceId}-${spanId}-01`;

function openTracing() {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracing = openTelemetryTracing({ tracerProvider, tracerName: workerRuntimeTracer });
  const find = (name: string) => {
    const found = exporter.getFinishedSpans().find((one) => one.name === name);
    if (found === undefined) throw new Error(`no span ${name}`);
    return found;
  };
  return { tracing, find };
}

/** A worker with tracing on the connection of a host that only listens, and what the two said to each other. */
async function startTracedWorker() {
  const host = await CapturedHost.start(() => ({ message: emptyMessage }));
  const { tracing, find } = openTracing();
  const worker = new WorkerRuntime({ dialer: grpcDialer(), address: host.address, tracing, halfCloseWaitMs: 20 });
  await worker.start();
  worker.addMessageSerializer([MyMessage, Ask]);
  const channel = await host.channels.take();
  return {
    worker,
    channel,
    find,
    [Symbol.asyncDispose]: async () => {
      await worker.stop();
      await host[Symbol.asyncDispose]();
    },
  };
}

describe("the trace context on the wire", () => {
  test("an event carries the publisher's context as a text attribute beside the five others [§8.79]", async () => {
    await using world = await startTracedWorker();
    await world.worker.publishMessage(MyMessage({ content: "hi" }), new TopicId("t", "src"));
    const bytes = await world.channel.inbox.take();
    const traceparent = traceparentOf(world.find("autogen create t.(src)-T").spanContext());
    expect(readJson("agents.Message", bytes)).toMatchObject({
      cloudEvent: { attributes: { traceparent: { ce_string: traceparent }, agmsgkind: { ce_string: "publish" } } },
    });
  });

  test("a call carries the caller's context in its metadata, and its answer that of the handling span", async () => {
    await using world = await startTracedWorker();
    await world.worker.registerFactory("echo", () => new FunctionAgent(() => Reply({ content: "there" })));
    const answer = world.worker.sendMessage(Ask({ content: "hi" }), new AgentId("echo", "k"));
    const request = decodeFrame(await world.channel.inbox.take());
    world.channel.write(encodeFrame(request));
    const response = decodeFrame(await world.channel.inbox.take());
    world.channel.write(encodeFrame(response));
    await answer;
    const [create, handled] = [world.find("autogen create echo.(k)-A"), world.find("autogen process echo.(k)-A")];
    expect(request).toMatchObject({ metadata: { traceparent: traceparentOf(create.spanContext()) } });
    expect(response).toMatchObject({ metadata: { traceparent: traceparentOf(handled.spanContext()) } });
    expect(handled.links.map(({ context }) => context.spanId)).toEqual([create.spanContext().spanId]);
    expect(world.find("autogen ack").links.map(({ context }) => context.spanId)).toEqual([
      handled.spanContext().spanId,
    ]);
  });

  test("without tracing, neither carries a context", async () => {
    const host = await CapturedHost.start(() => ({ message: emptyMessage }));
    const worker = new WorkerRuntime({ dialer: grpcDialer(), address: host.address, halfCloseWaitMs: 20 });
    await worker.start();
    worker.addMessageSerializer([MyMessage, Ask]);
    const channel = await host.channels.take();
    await worker.publishMessage(MyMessage({ content: "hi" }), new TopicId("t", "src"));
    worker.sendMessage(Ask({ content: "hi" }), new AgentId("echo", "k")).catch(() => {});
    expect(decodeFrame(await channel.inbox.take())).toHaveProperty("event.attributes", {});
    expect(decodeFrame(await channel.inbox.take())).toHaveProperty("metadata", {});
    await worker.stop();
    await host[Symbol.asyncDispose]();
  });

  test("the worker that receives an event through our host links to the span that published it [§8.79]", async () => {
    await using rig = await startRig("gRPC");
    const [publishing, receiving] = [openTracing(), openTracing()];
    const publisher = await rig.worker({ tracing: publishing.tracing });
    const receiver = await rig.worker({ tracing: receiving.tracing });
    receiver.addMessageSerializer(MyMessage);
    const seen = new Gate();
    await receiver.registerFactory("listener", () => new FunctionAgent(() => seen.open()));
    await receiver.addSubscription(new TypeSubscription("t", "listener"));
    await publisher.publishMessage(MyMessage({ content: "hi" }), new TopicId("t", "k"));
    await seen.opened;
    await receiver.stop();
    const create = publishing.find("autogen create t.(k)-T").spanContext();
    const links = receiving.find("autogen process listener.(k)-A").links;
    expect(links.map(({ context }) => [context.traceId, context.spanId])).toEqual([[create.traceId, create.spanId]]);
  });
});
