import type { ProcessGroup } from "../support/process-group.ts";
import { programCommand, pythonCommand, thisNode, troupeCommand } from "../support/project.ts";
import { startNatsServer } from "./nats-server.ts";

/** The kinds of hosts. */
export type HostKind = "troupe" | "python" | "nats" | "grpc-js" | "tcp";

/**
 * Starts a host as the group's `host`, on a free port. Resolves to its address when it accepts connections. `flags`:
 * further flags of `troupe host`.
 */
export async function startHost(group: ProcessGroup, kind: HostKind, flags: readonly string[] = []): Promise<string> {
  switch (kind) {
    case "troupe": {
      const command = [
        ...thisNode,
        troupeCommand(),
        "host",
        "--address",
        "127.0.0.1:0",
        // A later flag of the caller counts.
        "--state",
        "memory:",
        ...flags,
      ];
      return group.start("host", command).match(/127\.0\.0\.1:\d+/);
    }
    case "nats":
      return startNatsServer(group);
    case "python":
      return readyAddress(group, pythonCommand("host.py"));
    case "grpc-js":
    case "tcp":
      return readyAddress(group, peerCommand(kind, "host"));
  }
}

/** Returns the command of a program in this folder. */
export function peerCommand(program: string, ...args: readonly string[]): string[] {
  return programCommand(import.meta, program, ...args);
}

async function readyAddress(group: ProcessGroup, command: readonly string[]): Promise<string> {
  return String((await group.start("host", command).next("ready")).address);
}
