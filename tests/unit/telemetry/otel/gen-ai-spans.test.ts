import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { expect, test } from "vitest";
import { traceCreateAgentSpan, traceInvokeAgentSpan, traceToolSpan } from "../../../../src/telemetry/otel/index.ts";

function openTracer() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracer: provider.getTracer("test"), spans: () => exporter.getFinishedSpans() };
}

test("a tool runs in its own span", async () => {
  const { tracer, spans } = openTracer();
  const options = { tracer, toolDescription: "adds", toolCallId: "c1" };
  expect(await traceToolSpan("add", options, async () => 3)).toBe(3);
  expect(spans().map(({ name, kind, attributes }) => ({ name, kind, attributes }))).toEqual([
    {
      name: "execute_tool add",
      kind: SpanKind.INTERNAL,
      attributes: {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.system": "autogen",
        "gen_ai.tool.name": "add",
        "gen_ai.tool.description": "adds",
        "gen_ai.tool.call.id": "c1",
      },
    },
  ]);
});

test("agents are created and invoked in spans under the given parent", () => {
  const { tracer, spans } = openTracer();
  const options = { tracer, agentId: "writer/k" };
  traceInvokeAgentSpan("writer", { ...options, agentDescription: "writes" }, (parent) =>
    traceCreateAgentSpan("helper", { tracer, parent }, () => undefined),
  );
  const [create, invoke] = spans();
  expect([create?.name, create?.kind, create?.attributes]).toEqual([
    "create_agent helper",
    SpanKind.CLIENT,
    { "gen_ai.operation.name": "create_agent", "gen_ai.system": "autogen", "gen_ai.agent.name": "helper" },
  ]);
  expect(invoke?.attributes).toEqual({
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.system": "autogen",
    "gen_ai.agent.name": "writer",
    "gen_ai.agent.id": "writer/k",
    "gen_ai.agent.description": "writes",
  });
  expect(create?.parentSpanContext?.spanId).toBe(invoke?.spanContext().spanId);
});

test("a failure is recorded with its class, and thrown again", () => {
  const { tracer, spans } = openTracer();
  const fail = () =>
    traceToolSpan("add", { tracer }, () => {
      throw new TypeError("not a number");
    });
  expect(fail).toThrow(new TypeError("not a number"));
  const [span] = spans();
  expect(span?.attributes["error.type"]).toBe("TypeError");
  expect(span?.status).toEqual({ code: SpanStatusCode.ERROR, message: "TypeError: not a number" });
  expect(span?.events).toHaveLength(1);
});
