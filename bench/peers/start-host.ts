import type { ProcessGroup } from "../support/process-group.ts";
import { programCommand, pythonCommand, thisNode, troupeCommand } from "../support/project.ts";
import { startNatsServer } from "./nats-server.ts";

/** What can stand in the middle. */
export type HostKind = "troupe" | "python" | "nats" | "grpc-js" | "tcp";

/**
 * Starts one as the group's `host`, on a free port of its own; resolves with its address when it takes connections. `flags`:
 * more of the command line of `troupe host`.
 */
export async function startHost(group: ProcessGroup, kind: HostKind, flags: readonly string[] = []): Promise<string> {
  switch (kind) {
    case "troupe": {
      const command = [...thisNode, troupeCommand(), "host", "--address", "127.0.0.1:0", ...flags];
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

/** How to run one of the programs in this folder. */
export function peerCommand(program: string, ...args: readonly string[]): string[] {
  return programCommand(import.meta, program, ...args);
}

async function readyAddress(group: ProcessGroup, command: readonly string[]): Promise<string> {
  return String((await group.start("host", command).next("ready")).address);
}
