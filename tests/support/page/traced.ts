import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll } from "vitest";
import type { Tracing } from "../../../src/core/index.ts";
import { openTelemetryTracing } from "../../../src/telemetry/otel/index.ts";

/** Lets the messages of handlers belong to the traces of these, in the tests of one file. */
export function tracesGoOn(): void {
  beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterAll(() => context.disable());
}

/** The tracing of a worker that records all traces. */
export function recordedTracing(): Tracing | undefined {
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(new InMemorySpanExporter())],
  });
  return openTelemetryTracing({ tracerProvider });
}
