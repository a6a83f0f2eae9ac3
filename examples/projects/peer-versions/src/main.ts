import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { protobufMessage } from "troupe/protobuf";
import { openPostgresStore } from "troupe/storage/postgres";

// The app sets the global provider up, as a program with OpenTelemetry does.
const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
assert.ok(
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })),
);

const Text = protobufMessage(StringValueSchema);

class Shouter extends RoutedAgent {
  static override readonly handlers = handlerTable<Shouter>().message(Text, (text: StringValue) =>
    create(StringValueSchema, { value: text.value.toUpperCase() }),
  );
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
await using worker = new GrpcWorkerAgentRuntime(host.address);
await worker.start();
await Shouter.register(worker, "shouter", () => new Shouter("shouts"));
const answer = await worker.sendMessage(create(StringValueSchema, { value: "hello" }), new AgentId("shouter", "1"));
assert.deepEqual(answer, create(StringValueSchema, { value: "HELLO" }));

const names = exporter.getFinishedSpans().map(({ name }) => name);
assert.ok(
  names.some((name) => name.includes("shouter")),
  `spans are recorded: ${names.join(", ")}`,
);
console.log(`${names.length} spans`);

// No server listens there: `pg` tries to connect.
await assert.rejects(openPostgresStore("postgres://127.0.0.1:1/none"), {
  code: "state-unavailable",
  message: /ECONNREFUSED/,
});
