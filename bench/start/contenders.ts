import { type HostKind, startHost } from "../peers/start-host.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { residentBytes } from "../support/process-usage.ts";
import { programCommand, pythonAbsence, pythonCommand } from "../support/project.ts";

/** The measurements of a round; each has its own host. */
export type StartLoad =
  | "host: spawn to ready"
  | "worker: spawn to registered"
  | "host: idle"
  | "host: 1,000 idle sessions";

interface StartParties {
  readonly host: HostKind;
  /** Returns the command of a worker that reports `ready` when it has registered one agent type. */
  readonly worker: (address: string) => readonly string[];
  readonly absent?: string | undefined;
}

const sessions = 1000;
/** Time after which a process has finished its start, and the joining of many workers, in milliseconds. */
const quietMs = 1000;

class StartContender implements Contender<StartLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #parties: StartParties;

  constructor(name: string, parties: StartParties) {
    this.name = name;
    this.absent = parties.absent;
    this.#parties = parties;
  }

  async start(): Promise<void> {}

  async measure(load: StartLoad): Promise<Round> {
    const group = new ProcessGroup(this.name);
    try {
      return await this.#look(load, group);
    } finally {
      await group.stop();
    }
  }

  async stop(): Promise<void> {}

  async #look(load: StartLoad, group: ProcessGroup): Promise<Round> {
    const { host, worker } = this.#parties;
    const spawnedMs = performance.now();
    const address = await startHost(group, host);
    switch (load) {
      case "host: spawn to ready":
        return { ms: performance.now() - spawnedMs };
      case "worker: spawn to registered":
        return { ms: await timeToReady(group, worker(address)) };
      case "host: idle":
        return residentMemory(group);
      case "host: 1,000 idle sessions":
        await group.start("sessions", programCommand(import.meta, "sessions", address, `${sessions}`)).next("ready");
        return residentMemory(group);
    }
  }
}

async function timeToReady(group: ProcessGroup, command: readonly string[]): Promise<number> {
  const spawnedMs = performance.now();
  await group.start("worker", command).next("ready");
  return performance.now() - spawnedMs;
}

async function residentMemory(group: ProcessGroup): Promise<Round> {
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  const bytes = residentBytes(group.get("host").pid ?? 0);
  if (bytes === undefined) throw new Error("This system does not tell how much memory a process occupies.");
  return { rssMiB: bytes / 1024 ** 2 };
}

export const baseline = "Python AutoGen";

export function createContenders(): Contender<StartLoad>[] {
  const worker = (address: string) => programCommand(import.meta, "../rpc/target", address);
  const python = (address: string) => pythonCommand("rpc.py", "target", address);
  return [
    new StartContender("Troupe", { host: "troupe", worker }),
    new StartContender(baseline, { host: "python", worker: python, absent: pythonAbsence() }),
  ];
}
