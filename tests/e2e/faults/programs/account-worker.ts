// A worker that shares three types of persistent agents: node account-worker.ts <addresses of its hosts> <its name> <its version>.
import process from "node:process";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { registerAccounts } from "./account-agents.ts";

const [addresses = "", name = "", version = "1"] = process.argv.slice(2);
const reconnect = { initialDelayMs: 20, maxDelayMs: 100, startWaits: true };
const worker = new GrpcWorkerAgentRuntime(addresses.split(","), { name, version, reconnect });
await worker.start();
await registerAccounts(worker, version);
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
