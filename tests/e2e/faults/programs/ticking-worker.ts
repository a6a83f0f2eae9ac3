// A worker whose handler never ends, with a timer that keeps the process alive: node ticking-worker.ts <address of its host>.
import process from "node:process";
import { AgentId, ClosureAgent, defineMessage } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import * as z from "zod";

const Tick = defineMessage("Tick", z.object({}));
const worker = new GrpcWorkerAgentRuntime(process.argv[2] ?? "");
await worker.start();
const stopped = worker.stopWhenSignal();
await ClosureAgent.registerClosure(worker, "ticker", () => {
  setInterval(() => {}, 1_000);
  process.stdout.write("ready\n");
  return new Promise<never>(() => {});
});
worker.addMessageSerializer(Tick);
worker.sendMessage(Tick({}), new AgentId("ticker", "k")).catch(() => undefined);
for await (const { at } of worker.status()) if (at === "draining") process.stdout.write("draining\n");
await stopped;
