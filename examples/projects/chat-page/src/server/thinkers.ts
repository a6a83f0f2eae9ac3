// The worker of the agents that think: `tsx thinkers.ts ADDRESS`.

import { AiAgent } from "troupe/ai";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { Concierge } from "./concierge.ts";
import { conciergeModel, guideModel } from "./models.ts";

const [address = "127.0.0.1:50051"] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await AiAgent.register(runtime, "guide", () => new AiAgent({ model: guideModel(), instructions: "You know cities." }));
await Concierge.register(runtime, "concierge", () => new Concierge(conciergeModel()));
console.log("the thinkers are ready");
await runtime.stopWhenSignal();
