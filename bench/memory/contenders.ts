import { type HostKind, startHost } from "../peers/start-host.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand, pythonAbsence, pythonCommand } from "../support/project.ts";

/** Number of live agents. */
export type MemoryLoad = number;

interface MemoryParties {
  readonly host: HostKind;
  /** Returns the command of a worker that measures itself. */
  readonly worker: (address: string, agents: number) => readonly string[];
  readonly absent?: string | undefined;
}

/** A host and a worker, started again for each round. */
class MemoryContender implements Contender<MemoryLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #parties: MemoryParties;

  constructor(name: string, parties: MemoryParties) {
    this.name = name;
    this.absent = parties.absent;
    this.#parties = parties;
  }

  async start(): Promise<void> {}

  /** `bytes`: memory of a live agent beyond its user's own fields. */
  async measure(agents: MemoryLoad): Promise<Round> {
    const group = new ProcessGroup(this.name);
    try {
      const address = await startHost(group, this.#parties.host);
      const measured = await group.start("worker", this.#parties.worker(address, agents)).next("measured");
      const bytes = Number(measured.liveBytes) - Number(measured.plainBytes);
      return { bytes, ...roundOf(measured) };
    } finally {
      await group.stop();
    }
  }

  async stop(): Promise<void> {}
}

export const baseline = "Python AutoGen";

export function createContenders(): Contender<MemoryLoad>[] {
  const worker = (address: string, agents: number) => {
    const [node = "", ...program] = programCommand(import.meta, "worker", address, `${agents}`);
    return [node, "--expose-gc", ...program];
  };
  // Python needs a hundred times as long to create an agent; a tenth of them is enough for the figure.
  const python = (address: string, agents: number) => pythonCommand("agent_memory.py", address, `${agents / 10}`);
  return [
    new MemoryContender("Troupe", { host: "troupe", worker }),
    new MemoryContender(baseline, { host: "python", worker: python, absent: pythonAbsence() }),
  ];
}
