// A host that takes little memory, under attack: node host.ts '<HostileHostConfig as JSON>'.
import process from "node:process";
import { GrpcWorkerAgentRuntimeHost, type GrpcWorkerAgentRuntimeHostOptions } from "troupe/grpc";
import { MemoryStateStore } from "troupe/storage";
import { memory, serveCommands } from "../../e2e/faults/programs/commands.ts";

/** Options that a test gives the host. */
export interface HostileHostConfig extends Omit<GrpcWorkerAgentRuntimeHostOptions, "authorize" | "stateStore"> {
  readonly maxStateBytes?: number;
  /** Clients whose id begins so wait for `authorize` without a limit. */
  readonly neverAdmitted?: string;
}

const { maxStateBytes, neverAdmitted, ...options } = JSON.parse(process.argv[2] ?? "{}") as HostileHostConfig;
const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
  ...options,
  ...(maxStateBytes === undefined ? {} : { stateStore: new MemoryStateStore({ maxBytes: maxStateBytes }) }),
  ...(neverAdmitted === undefined
    ? {}
    : {
        authorize: ({ metadata }) =>
          metadata["client-id"]?.startsWith(neverAdmitted) ? new Promise<never>(() => {}) : undefined,
      }),
});
await host.start();
serveCommands(
  { address: host.address, pid: process.pid },
  {
    counters: () => host.counters(),
    memory,
    collect: () => {
      globalThis.gc?.();
      return memory();
    },
  },
);
