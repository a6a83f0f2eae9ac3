import { firstOf } from "../../collections/first-of.ts";
import { type Due, DueHeap } from "../../delivery/calls/due-heap.ts";
import { type AgentName, compareBytes, compareNames, textOfName } from "../agent-name.ts";
import { chunkSize, type RunsBefore } from "../judge-runs.ts";
import type { Commit } from "../state-store.ts";
import { storeLimits } from "../store-limits.ts";
import { bytesOfListedRun, pageOf } from "../store-pages.ts";
import type {
  RunCreation,
  RunList,
  RunName,
  RunPage,
  RunPageQuery,
  RunProgress,
  RunQuery,
  RunState,
  StoredRun,
} from "../stored-runs.ts";
import { sizeOfRun } from "./memory-sizes.ts";

/** A run in memory. `dueMs`: when it is dropped; it counts once the run has ended. */
interface MemoryRun extends Due {
  readonly agent: AgentName;
  readonly create: RunCreation;
  status: RunState;
  dueMs: number;
  updatedAtMs: number;
  first: number;
  bytes: number;
  takeovers: number;
  /** The kept ones. */
  chunks: Uint8Array[];
  outcome: Uint8Array | undefined;
}

type Runs = Map<string, MemoryRun>;

/** The runs of a store in memory. Methods that change them return how many bytes they add. */
export class MemoryRuns {
  /** By agent, then by id. */
  readonly #byAgent = new Map<string, Runs>();
  /** Those that have ended, the one that is dropped next first. */
  readonly #ended = new DueHeap<MemoryRun>();
  #lastOrder = 0;

  /** The runs of an agent, to compare a commit with them. `agent`: the text of its name. */
  before(agent: string): RunsBefore {
    const runs = this.#byAgent.get(agent);
    const isWorking = ({ status }: MemoryRun): boolean => status === "working";
    return {
      find: (id) => {
        const run = runs?.get(id);
        return run && { status: run.status, next: nextOf(run) };
      },
      working: () => [...(runs?.values() ?? [])].filter(isWorking).length,
    };
  }

  /** Writes changes that fit. */
  write({ agent: name, runs: changes = [] }: Commit, wallMs: number): number {
    const agent = textOfName(name);
    const runs: Runs = this.#byAgent.get(agent) ?? new Map();
    let added = 0;
    for (const change of changes) {
      if (change.at === "create") {
        const run = this.#create(name, change, wallMs);
        if (runs.size === 0) this.#byAgent.set(agent, runs);
        runs.set(change.id, run);
        added += sizeOfRun(agent, change);
        continue;
      }
      const run = runs.get(change.id);
      if (run === undefined) continue;
      added += this.#change(run, change, wallMs);
      run.updatedAtMs = wallMs;
      if (change.at === "end") added += this.#dropBeyond(runs);
    }
    return added;
  }

  page(agent: string, id: string, { from = 0, maxBytes, message }: RunPageQuery): RunPage | undefined {
    const run = this.#byAgent.get(agent)?.get(id);
    if (run === undefined) return undefined;
    const start = Math.max(from, run.first);
    const left = run.chunks.slice(start - run.first);
    const chunks = pageOf(left, { bytesOf: ({ length }) => chunkSize(length), maxBytes });
    const isWhole = chunks.length === left.length;
    return {
      run: storedRun(run),
      message: message === true ? new Uint8Array(run.create.message) : undefined,
      from: start,
      chunks: chunks.map((chunk) => new Uint8Array(chunk)),
      outcome: isWhole && run.outcome !== undefined ? new Uint8Array(run.outcome) : undefined,
    };
  }

  list({ agent, type, status, after, limit = storeLimits.listed }: RunQuery): RunList {
    const most = Math.max(1, Math.min(limit, storeLimits.listed));
    const isWanted = (run: MemoryRun): boolean => {
      if (type !== undefined && run.agent.type !== type) return false;
      if (status !== undefined && run.status !== status) return false;
      return after === undefined || compareRuns(nameOf(run), after) > 0;
    };
    const found = firstOf(filtered(this.#all(agent), isWanted), most + 1, (a, b) =>
      compareRuns(nameOf(a), nameOf(b)),
    ).map(storedRun);
    const runs = pageOf(found, { bytesOf: bytesOfListedRun, limit: most });
    return { runs, isLast: runs.length === found.length };
  }

  /** Drops those that have ended long enough ago. */
  expire(wallMs: number): number {
    let added = 0;
    for (let run = this.#ended.first; run !== undefined && run.dueMs <= wallMs; run = this.#ended.first) {
      added += this.#drop(run);
    }
    return added;
  }

  removeAll(agent: string): number {
    return [...(this.#byAgent.get(agent)?.values() ?? [])].reduce((sum, run) => sum + this.#drop(run), 0);
  }

  *#all(agent: AgentName | undefined): Iterable<MemoryRun> {
    if (agent !== undefined) yield* this.#byAgent.get(textOfName(agent))?.values() ?? [];
    else for (const runs of this.#byAgent.values()) yield* runs.values();
  }

  #create({ type, key }: AgentName, change: RunCreation, wallMs: number): MemoryRun {
    this.#lastOrder += 1;
    return {
      agent: { type, key },
      create: { ...change, message: new Uint8Array(change.message) },
      status: "working",
      dueMs: Number.POSITIVE_INFINITY,
      dueOrder: this.#lastOrder,
      duePlace: -1,
      updatedAtMs: wallMs,
      first: 0,
      bytes: 0,
      takeovers: 0,
      chunks: [],
      outcome: undefined,
    };
  }

  #change(run: MemoryRun, change: RunProgress, wallMs: number): number {
    switch (change.at) {
      case "append": {
        const before = run.bytes;
        for (const chunk of change.chunks) {
          run.chunks.push(new Uint8Array(chunk));
          run.bytes += chunkSize(chunk.length);
        }
        trim(run);
        return run.bytes - before;
      }
      case "takeover":
        run.takeovers += 1;
        return 0;
      case "step":
        run.takeovers = 0;
        return 0;
      case "end":
        run.status = change.status;
        run.outcome = new Uint8Array(change.outcome);
        run.dueMs = wallMs + run.create.keepMs;
        this.#ended.add(run);
        return run.outcome.length;
    }
  }

  /** Drops the runs of an agent that ended first, beyond the number that is kept. */
  #dropBeyond(runs: Runs): number {
    const ended = [...runs.values()].filter(({ status }) => status !== "working");
    if (ended.length <= storeLimits.runs) return 0;
    ended.sort((a, b) => a.updatedAtMs - b.updatedAtMs || a.dueOrder - b.dueOrder);
    return ended.slice(0, ended.length - storeLimits.runs).reduce((sum, run) => sum + this.#drop(run), 0);
  }

  #drop(run: MemoryRun): number {
    const agent = textOfName(run.agent);
    const runs = this.#byAgent.get(agent);
    runs?.delete(run.create.id);
    if (runs?.size === 0) this.#byAgent.delete(agent);
    if (run.status !== "working") this.#ended.remove(run);
    return -sizeOfRun(agent, run.create) - run.bytes - (run.outcome?.length ?? 0);
  }
}

function nameOf({ agent, create }: MemoryRun): RunName {
  return { agent, id: create.id };
}

function compareRuns(a: RunName, b: RunName): number {
  return compareNames(a.agent, b.agent) || compareBytes(a.id, b.id);
}

function* filtered(runs: Iterable<MemoryRun>, isWanted: (run: MemoryRun) => boolean): Iterable<MemoryRun> {
  for (const run of runs) if (isWanted(run)) yield run;
}

function nextOf({ first, chunks }: MemoryRun): number {
  return first + chunks.length;
}

/** Drops the oldest chunks beyond the bound. */
function trim(run: MemoryRun): void {
  let count = 0;
  for (const { length } of run.chunks) {
    if (run.bytes <= storeLimits.runBytes || count === run.chunks.length - 1) break;
    run.bytes -= chunkSize(length);
    count += 1;
  }
  if (count === 0) return;
  run.chunks = run.chunks.slice(count);
  run.first += count;
}

function storedRun(run: MemoryRun): StoredRun {
  const { id, principal, owner, depth, startedAtMs, deadlineMs, keepMs } = run.create;
  const { agent, status, updatedAtMs, first, bytes, takeovers } = run;
  return {
    ...{ agent, id, status, principal, owner, depth, startedAtMs, deadlineMs, keepMs, updatedAtMs, first },
    ...{ next: nextOf(run), bytes, takeovers },
  };
}
