import { context, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { openTelemetryTracing, workerRuntimeTracer } from "../../../src/telemetry/otel/index.ts";
import { eventFrame, jsonPayload, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const message = MyMessage({ content: "q" });
const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

function recording() {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracing = openTelemetryTracing({ tracerProvider, tracerName: workerRuntimeTracer });
  return { tracing, spans: () => exporter.getFinishedSpans() };
}

function named(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const span = spans.find((one) => one.name === name);
  if (span === undefined) throw new Error(`no span "${name}" among ${spans.map((one) => one.name).join(", ")}`);
  return span;
}

describe("spans of a worker", () => {
  beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterAll(() => context.disable());

  test("an event published inside a span carries it as traceparent [§8.79]", async () => {
    await using host = await new ScriptedHost().listen();
    const { tracing, spans } = recording();
    const [worker, channel] = await host.worker({ tracing });
    await worker.publishMessage(message, new TopicId("t", "s"));
    const { event } = await next(channel, "event");
    const create = named(spans(), "autogen create t.(s)-T");
    const { traceId: id, spanId } = create.spanContext();
    expect(event.attributes.traceparent).toBe(`00-${id}-${spanId}-01`);
    expect(create.kind).toBe(SpanKind.PRODUCER);
    expect(create.attributes["messaging.message.type"]).toBe("MyMessage");
    expect(named(spans(), "autogen publish t.(s)-T").links[0]?.context.spanId).toBe(spanId);
  });

  test("an event's trace context becomes a link of each handler's span", async () => {
    await using host = await new ScriptedHost().listen();
    const { tracing, spans } = recording();
    const [worker, channel] = await host.worker({ tracing });
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.addSubscription(new TypeSubscription("t", "a"));
    channel.send(eventFrame("t/k", { attributes: { traceparent } }));
    channel.send(eventFrame("t/k2", {}));
    channel.send(requestFrame("a/settled"));
    await next(channel, "response");
    expect(named(spans(), "autogen process a.(k)-A").links[0]?.context.traceId).toBe(traceId);
    expect(named(spans(), "autogen process a.(k2)-A").links).toEqual([]);
  });

  test("a call has create, send and ack, and carries its trace context in both directions", async () => {
    await using host = await new ScriptedHost().listen();
    const { tracing, spans } = recording();
    const [worker, channel] = await host.worker({ tracing });
    const call = worker.sendMessage(message, new AgentId("b", "k"));
    const request = await next(channel, "request");
    channel.send(
      responseFrame(request.requestId, { payload: jsonPayload("NoneType", null), metadata: { traceparent } }),
    );
    await call;
    const create = named(spans(), "autogen create b.(k)-A");
    expect(request.metadata.traceparent).toContain(create.spanContext().spanId);
    expect(named(spans(), "autogen send b.(k)-A").parentSpanContext?.spanId).toBe(create.spanContext().spanId);
    const ack = named(spans(), "autogen ack");
    expect(ack.links[0]?.context.traceId).toBe(traceId);
    expect(ack.attributes).toMatchObject({ request_id: request.requestId, "messaging.message.type": "NoneType" });
  });

  test("a call that is answered has process, linked to the caller's span, and the answer carries it", async () => {
    await using host = await new ScriptedHost().listen();
    const { tracing, spans } = recording();
    const [worker, channel] = await host.worker({ tracing });
    worker.addMessageSerializer(MyMessage);
    let seen: string | undefined;
    await worker.registerFactory(
      "a",
      () =>
        new FunctionAgent(async () => {
          await Promise.resolve();
          seen = trace.getActiveSpan()?.spanContext().spanId;
          throw new Error("boom");
        }),
    );
    channel.send(requestFrame("a/k", { requestId: "h5", metadata: { traceparent } }));
    const answer = await next(channel, "response");
    const process = named(spans(), "autogen process a.(k)-A");
    expect(process.kind).toBe(SpanKind.CONSUMER);
    expect(process.links[0]?.context.traceId).toBe(traceId);
    expect(process.attributes).toMatchObject({ request_id: "h5", "messaging.message.type": "MyMessage" });
    expect(seen).toBe(process.spanContext().spanId);
    expect(answer.metadata.traceparent).toContain(seen);
    expect(answer.metadata.agerrortype).toBe("HandlerError");
  });
});
