// A host as `troupe host` runs it, that tells its counters: node host.ts '<options as JSON>'. Where nobody asks for them, the tests run `troupe host`.
import process from "node:process";
import { GrpcWorkerAgentRuntimeHost, type GrpcWorkerAgentRuntimeHostOptions } from "troupe/grpc";
import { keepHeapRoom } from "troupe/host";
import { memory, serveCommands } from "./commands.ts";

const { address = "127.0.0.1:0", ...options } = JSON.parse(process.argv[2] ?? "{}") as {
  readonly address?: string;
} & GrpcWorkerAgentRuntimeHostOptions;
keepHeapRoom();
const host = new GrpcWorkerAgentRuntimeHost(address, options);
await host.start();
serveCommands({ address: host.address }, { counters: () => host.counters(), memory });
