import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { jsonSchema, tool } from "ai";
import { SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, Prompt } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { openTelemetryTracing } from "troupe/telemetry/otel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ada } from "./support.ts";

beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

/** Returns the names of the spans above one, the nearest first. */
function namesAbove(spans: readonly ReadableSpan[], span: ReadableSpan): readonly string[] {
  const parent = spans.find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId);
  return parent === undefined ? [] : [parent.name, ...namesAbove(spans, parent)];
}

test("spans of the AI SDK, of model calls and tools, are below the span of the turn", async () => {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const look = tool({ inputSchema: jsonSchema({ type: "object" }), execute: () => "dry" });
  const model = scriptedModel([{ calls: [{ name: "look", input: {} }] }, { text: "Dry." }]);
  const experimental_telemetry = { isEnabled: true, tracer: tracerProvider.getTracer("ai") };
  const runtime = new SingleThreadedAgentRuntime({ tracing: openTelemetryTracing({ tracerProvider }) });
  const options = { model, tools: { look }, experimental_telemetry };
  await AiAgent.register(runtime, "concierge", () => new AiAgent(options));
  runtime.start();
  expect((await runtime.sendMessage(Prompt({ text: "Rain?" }), ada)).text).toBe("Dry.");
  await runtime.close();
  const spans = exporter.getFinishedSpans();
  const calls = spans.filter(({ name }) => name === "ai.streamText.doStream" || name === "ai.toolCall");
  expect(calls).toHaveLength(3);
  for (const span of calls) {
    expect(namesAbove(spans, span).slice(0, 2)).toEqual([
      "ai.streamText",
      expect.stringContaining("process concierge"),
    ]);
  }
});
