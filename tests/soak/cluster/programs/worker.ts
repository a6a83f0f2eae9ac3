// A worker of the cluster's soak: node worker.ts <addresses of its hosts> <its name>. It shares accounts, diaries and echoes.
import process from "node:process";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { registerAccounts } from "../../../e2e/faults/programs/account-agents.ts";
import { registerDiaries } from "./diary-agents.ts";

const [addresses = "", name = ""] = process.argv.slice(2);
const reconnect = { initialDelayMs: 50, maxDelayMs: 500, startWaits: true };
const worker = new GrpcWorkerAgentRuntime(addresses.split(","), { name, reconnect });
await worker.start();
await registerAccounts(worker);
await registerDiaries(worker);
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
