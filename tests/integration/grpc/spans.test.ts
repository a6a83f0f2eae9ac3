import { trace } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterEach, expect, test } from "vitest";
import { TopicId } from "../../../src/core/index.ts";
import {
  GrpcWorkerAgentRuntime,
  GrpcWorkerAgentRuntimeHost,
  type GrpcWorkerAgentRuntimeOptions,
} from "../../../src/grpc/index.ts";
import { openTelemetryTracing } from "../../../src/telemetry/otel/index.ts";
import { MyMessage } from "../../support/worker/messages.ts";

function recorder() {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const spans = () => exporter.getFinishedSpans().map((span) => `${span.instrumentationScope.name}: ${span.name}`);
  return { tracerProvider, spans };
}

async function publishOnce(options: GrpcWorkerAgentRuntimeOptions): Promise<void> {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  await using worker = new GrpcWorkerAgentRuntime(host.address, options);
  await worker.start();
  await worker.publishMessage(MyMessage({ content: "x" }), new TopicId("t", "s"));
}

const published = ["autogen Worker Runtime: autogen publish t.(s)-T", "autogen Worker Runtime: autogen create t.(s)-T"];

afterEach(() => trace.disable());

test("the spans of a worker go to the provider it is given", async () => {
  const { tracerProvider, spans } = recorder();
  await publishOnce({ tracerProvider });
  expect(spans()).toEqual(published);
});

test("the spans of a worker go to the global provider when it is given none", async () => {
  const { tracerProvider, spans } = recorder();
  trace.setGlobalTracerProvider(tracerProvider);
  await publishOnce({});
  expect(spans()).toEqual(published);
});

test("the spans of a worker go where its own tracing sends them, whatever the provider", async () => {
  const [provider, own] = [recorder(), recorder()];
  const tracing = openTelemetryTracing({ tracerProvider: own.tracerProvider, tracerName: "own" });
  await publishOnce({ tracerProvider: provider.tracerProvider, tracing });
  expect(provider.spans()).toEqual([]);
  expect(own.spans()).toEqual(published.map((name) => name.replace("autogen Worker Runtime", "own")));
});
