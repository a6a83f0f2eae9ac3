// The greeter of compose.yaml. The environment says where its host is, and in which files the authority and the token are.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { consoleLogger } from "troupe/telemetry";
import { openTelemetryMetrics, openTelemetryTracing, workerRuntimeTracer } from "troupe/telemetry/otel";
import { z } from "zod";

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

class Greeter extends RoutedAgent {
  static override readonly handlers = handlerTable<Greeter>().rpc(AskToGreet, async function (ask, { signal }) {
    const colleague = new AgentId("french_greeter", "default");
    const french = await this.sendMessage(ask, colleague, { signal, timeoutMs: 10_000 });
    return Greeting({ content: `Hello, ${ask.name}! ${french.content}` });
  });
}

const {
  TROUPE_HOST = "127.0.0.1:50051",
  TROUPE_CA_FILE: caFile,
  TROUPE_TOKEN_FILE: tokenFile,
  OTEL_EXPORTER_OTLP_ENDPOINT: collector,
} = process.env;
if (caFile === undefined || tokenFile === undefined)
  throw new Error("TROUPE_CA_FILE and TROUPE_TOKEN_FILE name files.");

const endTelemetry = collector === undefined ? undefined : (await import("./telemetry.ts")).sendTelemetry();
const runtime = new GrpcWorkerAgentRuntime(TROUPE_HOST, {
  name: "greeter",
  logger: consoleLogger(),
  tracing: openTelemetryTracing({ tracerName: workerRuntimeTracer }),
  metrics: openTelemetryMetrics(),
  channelOptions: {
    tls: { caFile },
    // Read for each connection, so that a new token needs no restart.
    metadata: async () => ({ authorization: `Bearer ${(await readFile(tokenFile, "utf8")).trim()}` }),
  },
});
await runtime.start();
await Greeter.register(runtime, "greeter", () => new Greeter("greets in English, and has a colleague"));
const stopped = runtime.stopWhenSignal();
console.log("the greeter is ready");
await stopped;
await endTelemetry?.();
