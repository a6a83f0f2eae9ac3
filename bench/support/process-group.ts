import type { Round } from "./contender.ts";
import { PeerProcess } from "./peer-process.ts";
import { processorUs } from "./process-usage.ts";

interface Member {
  readonly role: string;
  readonly process: PeerProcess;
}

/** The processes of one contender by their roles (`host`, `caller`, `workers`). */
export class ProcessGroup {
  readonly #name: string;
  readonly #members: Member[] = [];
  readonly #watched: Member[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** Starts a process. Several may share a role: their times are summed. */
  start(role: string, [command = "", ...args]: readonly string[]): PeerProcess {
    const process = new PeerProcess(`${this.#name}: ${role}`, command, args);
    this.#members.push({ role, process });
    return process;
  }

  /** Counts the time of a process, too, which the caller starts and stops. */
  watch(role: string, process: PeerProcess): void {
    this.#watched.push({ role, process });
  }

  /** Returns the first process with this role. Throws if there is none. */
  get(role: string): PeerProcess {
    const [process] = this.all(role);
    if (process === undefined) throw new Error(`${this.#name} has no ${role} running`);
    return process;
  }

  /** Returns the processes that share this role, in the order in which they were started. */
  all(role: string): PeerProcess[] {
    return this.#members.filter((member) => member.role === role).map(({ process }) => process);
  }

  /** Runs a round and adds `cpuUs ROLE`: the processor time of the role's processes, in microseconds for each one of `count`. */
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

  /** Stops all processes, the last one started first. */
  async stop(): Promise<void> {
    this.#watched.splice(0);
    for (const { process } of this.#members.splice(0).reverse()) await process.stop();
  }

  #processorTimes(): Map<string, number> {
    const times = new Map<string, number>();
    for (const { role, process } of [...this.#members, ...this.#watched]) {
      const { pid } = process;
      const us = pid === undefined ? undefined : processorUs(pid);
      if (us !== undefined) times.set(role, (times.get(role) ?? 0) + us);
    }
    return times;
  }
}

/** Returns the numeric figures of a process's line. */
export function roundOf(line: Readonly<Record<string, unknown>>): Round {
  const figures = Object.entries(line).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return Object.fromEntries(figures);
}
