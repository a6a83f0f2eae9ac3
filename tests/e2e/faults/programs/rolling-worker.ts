// A worker that takes a type over when its holder leaves, and says how many calls it handled: node rolling-worker.ts <address of its host>.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentId, ClosureAgent, defineMessage } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import * as z from "zod";

const Work = defineMessage("Work", z.object({ number: z.number() }));
const worker = new GrpcWorkerAgentRuntime(process.argv[2] ?? "", { drainTimeoutMs: 30_000 });
await worker.start();
const stopped = worker.stopWhenSignal();
process.stdout.write("waiting\n");
let handled = 0;
await ClosureAgent.registerClosure(worker, "helper", () => Work({ number: process.pid }), {
  types: [Work],
  whenTaken: "wait",
});
await ClosureAgent.registerClosure(
  worker,
  "writer",
  async (agent, message) => {
    handled += 1;
    await sleep(20);
    // A handler that still runs in the drain reaches the agents of its own worker.
    await agent.sendMessage(Work({ number: 0 }), new AgentId("helper", "k"), { waitForTarget: 30_000 });
    return message;
  },
  { types: [Work], whenTaken: "wait" },
);
process.stdout.write("serving\n");
await stopped;
process.stdout.write(`handled ${handled}\n`);
