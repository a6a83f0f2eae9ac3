import { AiAgent } from "troupe/ai";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { countingPlanner } from "../../support/counting-planner.ts";

// Serves the type "planner" at a host, ADDRESS. Its agents count in FILE what they do.
const [, , address = "", file = ""] = process.argv;
const worker = new GrpcWorkerAgentRuntime(address);
await worker.start();
await AiAgent.register(worker, "planner", () => countingPlanner({ file, ids: String(process.pid) }));
console.log("serving");
