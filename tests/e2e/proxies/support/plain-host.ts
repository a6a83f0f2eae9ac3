// A host that does nothing else: plain-host.ts
import process from "node:process";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";

const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
process.stdout.write(`listening on ${host.address}\n`);
