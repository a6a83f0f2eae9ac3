// A host that takes little memory, under attack: node host.ts '<HostileHostConfig as JSON>'.
import process from "node:process";
import { GrpcWorkerAgentRuntimeHost, type GrpcWorkerAgentRuntimeHostOptions } from "troupe/grpc";
import { MemoryStateStore } from "troupe/storage";
import { AdminEntry } from "../../../src/admin/internal.ts";
import { operationsOf } from "../../../src/host/internal.ts";
import { memory, serveCommands } from "../../e2e/faults/programs/commands.ts";

/** Options that a test gives the host. */
export interface HostileHostConfig extends Omit<GrpcWorkerAgentRuntimeHostOptions, "authorize" | "stateStore"> {
  readonly maxStateBytes?: number;
  /** Clients whose id begins so wait for `authorize` without a limit. */
  readonly neverAdmitted?: string;
  /** The token of its admin entry. Default: it has none. */
  readonly adminToken?: string;
}

const { maxStateBytes, neverAdmitted, adminToken, ...options } = JSON.parse(
  process.argv[2] ?? "{}",
) as HostileHostConfig;
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
const { pid } = process;
const entry =
  adminToken === undefined
    ? undefined
    : await AdminEntry.open({
        host: operationsOf(host.servicer),
        facts: {
          name: "besieged",
          version: "1",
          pid,
          address: host.address,
          state: "memory:",
          startedAt: new Date().toISOString(),
        },
        address: { host: "127.0.0.1", port: 0 },
        token: adminToken,
        logger: undefined,
      });
serveCommands(
  { address: host.address, pid, adminUrl: entry?.url ?? "" },
  {
    counters: () => host.counters(),
    memory,
    collect: () => {
      globalThis.gc?.();
      return memory();
    },
  },
);
