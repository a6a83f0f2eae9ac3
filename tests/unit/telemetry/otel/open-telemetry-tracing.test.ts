import { type ContextManager, context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  defineMessage,
  type InterventionHandler,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { openTelemetryTracing } from "../../../../src/telemetry/otel/index.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const Text = defineMessage("Text", z.object({ content: z.string() }));

class Echo extends BaseAgent {
  constructor() {
    super("echoes");
  }

  protected override async onMessageImpl(message: { content: string }): Promise<unknown> {
    if (message.content === "fail") throw new RangeError("too far");
    return message;
  }
}

class LettingThrough implements InterventionHandler {
  onSend(message: unknown): unknown {
    return message;
  }
}

const echoId = new AgentId("echo", "k");
const userId = new AgentId("user", "u");

function openWorld(interventionHandlers: readonly InterventionHandler[] = []) {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracing = openTelemetryTracing({ tracerProvider });
  const runtime = new SingleThreadedAgentRuntime({ tracing, interventionHandlers, logger: new RecordingLogger() });
  const spans = () => exporter.getFinishedSpans();
  const span = (name: string) => {
    const found = spans().find((one) => one.name === name);
    if (found === undefined)
      throw new Error(
        `no span ${name} among ${spans()
          .map((one) => one.name)
          .join(", ")}`,
      );
    return found;
  };
  return { runtime, spans, span, tracing, tracerProvider };
}

async function send(runtime: SingleThreadedAgentRuntime, content: string, sender?: AgentId): Promise<void> {
  await runtime.registerFactory("echo", () => new Echo());
  await runtime.start();
  await runtime.sendMessage(Text({ content }), echoId, { sender, messageId: "m-1" }).catch(() => undefined);
  await runtime.stopWhenIdle();
}

function linkedSpans(span: ReadableSpan): string[] {
  return span.links.map((link) => link.context.spanId);
}

/** With the context manager that an application registers, and without any. */
describe.each<[string, () => ContextManager | undefined]>([
  ["with a context manager", () => new AsyncLocalStorageContextManager().enable()],
  ["without a context manager", () => undefined],
])("spans %s", (_name, makeManager) => {
  beforeEach(() => {
    const manager = makeManager();
    if (manager !== undefined) context.setGlobalContextManager(manager);
  });

  afterEach(() => context.disable());

  test("a call has create, send, process and ack, each with its name, kind and attributes [§8.131]", async () => {
    const { runtime, spans, span } = openWorld();
    await send(runtime, "hi", userId);
    expect(spans().map(({ name, kind }) => [name, kind])).toEqual([
      ["autogen process echo.(k)-A", SpanKind.CONSUMER],
      ["autogen send echo.(k)-A", SpanKind.PRODUCER],
      ["autogen ack user.(u)-A", SpanKind.CONSUMER],
      ["autogen create echo.(k)-A", SpanKind.PRODUCER],
    ]);
    expect(span("autogen create echo.(k)-A").attributes).toEqual({
      "messaging.operation": "create",
      "messaging.destination": "echo.(k)-A",
      "messaging.message.type": "Text",
    });
    expect(span("autogen send echo.(k)-A").attributes).toEqual({
      "messaging.operation": "publish",
      "messaging.destination": "echo.(k)-A",
    });
    expect(span("autogen process echo.(k)-A").attributes).toEqual({
      "messaging.operation": "process",
      "messaging.destination": "echo.(k)-A",
      sender_agent_type: "user",
      recipient_agent_type: "echo",
      recipient_agent_class: "Echo",
      message_context: '{"sender": "user/u", "topic_id": "None", "is_rpc": true, "message_id": "m-1"}',
      message: '{"content":"hi"}',
    });
    expect(span("autogen ack user.(u)-A").attributes).toEqual({
      "messaging.operation": "receive",
      "messaging.destination": "user.(u)-A",
      sender_agent_type: "echo",
      sender_agent_class: "Echo",
      recipient_agent_type: "user",
      message: '{"content":"hi"}',
    });
  });

  test("send and process link to create, ack links to send; send and ack hang under create, process under send [§8.131]", async () => {
    const { runtime, spans, span } = openWorld();
    await send(runtime, "hi", userId);
    const create = span("autogen create echo.(k)-A");
    const sent = span("autogen send echo.(k)-A");
    expect(linkedSpans(create)).toEqual([]);
    expect(linkedSpans(sent)).toEqual([create.spanContext().spanId]);
    expect(linkedSpans(span("autogen process echo.(k)-A"))).toEqual([create.spanContext().spanId]);
    expect(linkedSpans(span("autogen ack user.(u)-A"))).toEqual([sent.spanContext().spanId]);
    const parents = Object.fromEntries(spans().map(({ name, parentSpanContext }) => [name, parentSpanContext?.spanId]));
    expect(parents).toEqual({
      "autogen create echo.(k)-A": undefined,
      "autogen send echo.(k)-A": create.spanContext().spanId,
      "autogen process echo.(k)-A": sent.spanContext().spanId,
      "autogen ack user.(u)-A": create.spanContext().spanId,
    });
  });

  test("an event has create, process and publish, which end in this order [§8.132]", async () => {
    const { runtime, spans, span } = openWorld();
    await runtime.registerFactory("echo", () => new Echo());
    await runtime.addSubscription(new TypeSubscription("news", "echo"));
    await runtime.start();
    await runtime.publishMessage(Text({ content: "hi" }), new TopicId("news", "k"));
    await runtime.stopWhenIdle();
    expect(spans().map(({ name, kind }) => [name, kind])).toEqual([
      ["autogen create news.(k)-T", SpanKind.PRODUCER],
      ["autogen process echo.(k)-A", SpanKind.CONSUMER],
      ["autogen publish news.(k)-T", SpanKind.PRODUCER],
    ]);
    expect(span("autogen process echo.(k)-A").attributes).toMatchObject({ recipient_agent_class: "Echo" });
    const create = span("autogen create news.(k)-T").spanContext().spanId;
    expect(linkedSpans(span("autogen publish news.(k)-T"))).toEqual([create]);
    expect(linkedSpans(span("autogen process echo.(k)-A"))).toEqual([create]);
  });

  test("an ack without a recipient has no destination in its name", async () => {
    const { runtime, span } = openWorld();
    await send(runtime, "hi");
    expect(span("autogen ack").attributes).toMatchObject({ "messaging.destination": "" });
  });

  test("a failure is recorded on every span that it passes", async () => {
    const { runtime, span } = openWorld();
    await send(runtime, "fail");
    for (const name of ["autogen process echo.(k)-A", "autogen ack", "autogen create echo.(k)-A"]) {
      expect(span(name).status).toEqual({ code: SpanStatusCode.ERROR, message: "RangeError: too far" });
      expect(span(name).events.map((event) => event.name)).toEqual(["exception"]);
    }
    expect(span("autogen send echo.(k)-A").status.code).toBe(SpanStatusCode.UNSET);
    expect(linkedSpans(span("autogen ack"))).toEqual([span("autogen send echo.(k)-A").spanContext().spanId]);
  });

  test("an intervention has a span with the name of its class", async () => {
    const { runtime, span } = openWorld([new LettingThrough()]);
    await send(runtime, "hi");
    const intercept = span("autogen intercept LettingThrough");
    expect(intercept.kind).toBe(SpanKind.CONSUMER);
    expect(intercept.attributes).toEqual({
      "messaging.operation": "receive",
      "messaging.destination": "LettingThrough",
    });
    expect(linkedSpans(intercept)).toEqual([span("autogen create echo.(k)-A").spanContext().spanId]);
  });

  test("the active span travels in metadata and arrives as a link", () => {
    const { tracing, spans } = openWorld();
    expect(tracing?.inject()).toEqual({});
    const carrier = tracing?.span("create", { destination: echoId }, () => tracing.inject());
    tracing?.span("process", { destination: echoId, link: { ...carrier, tracestate: "vendor=1" } }, () => undefined);
    const [create, process] = spans();
    const { traceId, spanId } = create?.spanContext() ?? {};
    expect(carrier).toEqual({ traceparent: `00-${traceId}-${spanId}-01` });
    expect(process?.links).toMatchObject([{ context: { traceId, spanId, traceFlags: 1, isRemote: true } }]);
    expect(process?.links[0]?.context.traceState?.serialize()).toBe("vendor=1");
  });

  test("an invalid link is omitted", () => {
    const { tracing, spans } = openWorld();
    const zeros = `00-${"0".repeat(32)}-${"0".repeat(16)}-00`;
    for (const traceparent of [zeros, "nonsense", "", `ff-${"1".repeat(32)}-${"1".repeat(16)}-00`]) {
      tracing?.span("ack", { link: { traceparent } }, () => undefined);
    }
    expect(spans().flatMap((span) => span.links)).toEqual([]);
  });
});

describe("openTelemetryTracing", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    trace.disable();
  });

  test("returns undefined when the environment turns it off [§8.133]", () => {
    vi.stubEnv("AUTOGEN_DISABLE_RUNTIME_TRACING", "true");
    expect(openWorld().tracing).toBeUndefined();
  });

  test("returns undefined when no provider is given or registered", () => {
    expect(openTelemetryTracing()).toBeUndefined();
  });

  test("uses the registered provider when none is given, with AutoGen's tracer name", () => {
    const exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    openTelemetryTracing()?.span("create", {}, () => undefined);
    openTelemetryTracing({ tracerName: "autogen Worker Runtime" })?.span("create", {}, () => undefined);
    expect(exporter.getFinishedSpans().map((span) => span.instrumentationScope.name)).toEqual([
      "autogen SingleThreadedAgentRuntime",
      "autogen Worker Runtime",
    ]);
  });
});
