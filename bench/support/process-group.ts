import type { Round } from "./contender.ts";
import { PeerProcess } from "./peer-process.ts";
import { processorUs } from "./process-usage.ts";

/** The processes of one contender, each by its role (`host`, `caller`). */
export class ProcessGroup {
  readonly #name: string;
  readonly #members = new Map<string, PeerProcess>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Starts a process; it has its role to itself. */
  start(role: string, [command = "", ...args]: readonly string[]): PeerProcess {
    const process = new PeerProcess(`${this.#name}: ${role}`, command, args);
    this.#members.set(role, process);
    return process;
  }

  get(role: string): PeerProcess {
    const process = this.#members.get(role);
    if (process === undefined) throw new Error(`${this.#name} has no ${role} running`);
    return process;
  }

  /** Runs a round and adds `cpuUs ROLE`, what each process took of a processor for each of the round's `count`. */
  async withProcessorTime(measure: () => Promise<Round>): Promise<Round> {
    const before = this.#processorTimes();
    const { count = 0, ...round } = await measure();
    const spent: Record<string, number> = {};
    for (const [role, us] of this.#processorTimes()) {
      const since = before.get(role);
      if (since !== undefined) spent[`cpuUs ${role}`] = (us - since) / count;
    }
    return { ...round, ...spent };
  }

  /** The last one started is stopped first. */
  async stop(): Promise<void> {
    for (const process of [...this.#members.values()].reverse()) await process.stop();
    this.#members.clear();
  }

  #processorTimes(): Map<string, number> {
    const times = new Map<string, number>();
    for (const [role, { pid }] of this.#members) {
      const us = pid === undefined ? undefined : processorUs(pid);
      if (us !== undefined) times.set(role, us);
    }
    return times;
  }
}

/** The figures in a line that a process told; what is no number is left out. */
export function roundOf(line: Readonly<Record<string, unknown>>): Round {
  const figures = Object.entries(line).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return Object.fromEntries(figures);
}
