import { AiAgent } from "troupe/ai";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { countingBuyer, type HaltPlace } from "../../support/counting-buyer.ts";

// Serves the type "buyer" at a host, ADDRESS. Its agents count in FILE what they do, and halt at PLACE.
const [, , address = "", file = "", haltAt = "never"] = process.argv;
const worker = new GrpcWorkerAgentRuntime(address);
await worker.start();
const onHalt = () => console.log("halted");
const make = () => countingBuyer({ file, haltAt: haltAt as HaltPlace, onHalt, ids: String(process.pid) });
await AiAgent.register(worker, "buyer", make);
console.log("serving");
