import type { AgentId } from "../agents/agent-id.ts";
import { type Clock, longestTimerMs, type Timer } from "../clock.ts";
import { BySize } from "../collections/by-size.ts";
import { TroupeError, UndeliverableException } from "../errors.ts";
import type { AgentName } from "../state/agent-name.ts";
import type { EncodedText } from "./encoded-text.ts";
import { type RunEnd, RunLog, type RunStart, type StoredChunks } from "./run-log.ts";
import type { RunBounds } from "./runs-options.ts";

/** The part of the bounds that one caller uses. */
interface Account {
  running: number;
  bytes: number;
  /** Bytes of the messages of the runs that have not ended, which can't be dropped. */
  fixedBytes: number;
  readonly working: Set<RunLog>;
  /** The longest ended first. */
  readonly ended: Set<RunLog>;
}

/** The runs that a runtime keeps, and their bounds. */
export class RunTable {
  readonly #clock: Clock;
  readonly #bounds: RunBounds;
  readonly #byAgent = new Map<string, Map<string, RunLog>>();
  readonly #accounts = new Map<string, Account>();
  /** Accounts by the bytes that can be dropped. */
  readonly #droppable = new BySize<Account>();
  readonly #ended = new Set<RunLog>();
  #running = 0;
  #bytes = 0;
  #fixedBytes = 0;
  #sweep: { readonly atMs: number; readonly timer: Timer } | undefined;

  constructor(clock: Clock, bounds: RunBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  get(agentId: AgentId, id: string): RunLog | undefined {
    return this.#byAgent.get(agentId.toString())?.get(id);
  }

  /** Returns the runs of an agent, the oldest first. */
  of(agentId: AgentId): Iterable<RunLog> {
    return this.#byAgent.get(agentId.toString())?.values() ?? [];
  }

  /** Whether an agent has runs here that only this worker can answer. */
  has(agentId: AgentName): boolean {
    for (const { start, end } of this.#byAgent.get(nameOf(agentId))?.values() ?? []) {
      if (start.isKept !== true || end === undefined) return true;
    }
    return false;
  }

  /** The agent leaves this worker: its runs are dropped, each one when it ends. */
  release(agentId: AgentName): void {
    for (const log of [...(this.#byAgent.get(nameOf(agentId))?.values() ?? [])]) {
      if (log.end === undefined) log.isLeaving = true;
      else this.#drop(log);
    }
  }

  /** Keeps a new run. Throws `overloaded` if too many run, and `message-too-large` for a message that is larger than a run may be. */
  add(start: RunStart): RunLog {
    return this.#add(new RunLog(start), false);
  }

  /**
   * Adds a run that a store has. One that has ended is never refused. Throws as `add` for another one.
   */
  restore(start: RunStart, stored: StoredChunks, ended?: { readonly end: RunEnd; readonly keepMs: number }): RunLog {
    const log = new RunLog(start);
    log.restore(stored);
    const most = Math.min(this.#bounds.maxBytesPerRun, this.#bounds.maxBytes / 2);
    while (log.chunkBytes > most && log.dropOldest());
    this.#add(log, ended !== undefined);
    if (ended === undefined) return log;
    this.#finish(log, ended.end, ended.keepMs);
    log.updatedMs = stored.updatedMs;
    return log;
  }

  /** Forgets a run that may work still: another worker has it, or its agent was destroyed. */
  abandon(log: RunLog): void {
    if (log.end === undefined && this.#isHere(log)) this.#endWorking(log);
    this.#drop(log);
  }

  #isHere(log: RunLog): boolean {
    return this.get(log.start.agentId, log.start.id) === log;
  }

  #add(log: RunLog, isEnded: boolean): RunLog {
    const { start } = log;
    const account = this.#accounts.get(start.account) ?? createAccount();
    if (!isEnded) this.#assertRoom(log, account);
    const agent = start.agentId.toString();
    const runs = this.#byAgent.get(agent) ?? new Map<string, RunLog>();
    this.#byAgent.set(agent, runs.set(start.id, log));
    this.#accounts.set(start.account, account);
    account.working.add(log);
    account.running += 1;
    account.fixedBytes += log.fixedBytes;
    this.#running += 1;
    this.#fixedBytes += log.fixedBytes;
    this.#count(log, log.bytes);
    this.#makeRoom();
    return log;
  }

  #assertRoom({ fixedBytes }: RunLog, account: Account): void {
    const { maxRunning, maxBytes, maxBytesPerRun } = this.#bounds;
    if (fixedBytes > maxBytesPerRun) {
      const text = `The message of the run counts ${fixedBytes} bytes, and a run has ${maxBytesPerRun} (runs.maxBytesPerRun).`;
      throw new TroupeError("message-too-large", `${text} Send less, or raise the bound.`);
    }
    if (this.#running >= maxRunning) throw overloaded(`${maxRunning} runs have not ended (runs.maxRunning)`);
    const most = Math.max(1, Math.floor(maxRunning / 2));
    if (account.running >= most)
      throw overloaded(`${most} runs of this caller have not ended, half of runs.maxRunning`);
    if (account.fixedBytes + fixedBytes > maxBytes / 2 || this.#fixedBytes + fixedBytes > maxBytes) {
      throw overloaded(
        `the messages of running runs take ${maxBytes} bytes, or this caller's half of them (runs.maxBytes)`,
      );
    }
  }

  append(log: RunLog, chunk: EncodedText): void {
    if (log.end !== undefined || !this.#isHere(log)) return;
    const before = log.bytes;
    log.append(chunk, this.#clock.wallNow());
    while (log.chunkBytes > this.#bounds.maxBytesPerRun && log.dropOldest());
    this.#count(log, log.bytes - before);
    this.#makeRoom();
  }

  /** Ends a run. The first end stands. */
  finish(log: RunLog, end: RunEnd): void {
    if (this.#isHere(log)) this.#finish(log, end, log.start.keepMs);
  }

  #endWorking(log: RunLog): void {
    this.#running -= 1;
    const account = this.#accounts.get(log.start.account);
    this.#fixedBytes -= log.fixedBytes;
    if (account !== undefined) {
      account.running -= 1;
      account.fixedBytes -= log.fixedBytes;
      account.working.delete(log);
      account.ended.add(log);
    }
    this.#ended.add(log);
  }

  #finish(log: RunLog, end: RunEnd, keepMs: number): void {
    const before = log.bytes;
    if (!log.finish(end, this.#clock.wallNow())) return;
    this.#endWorking(log);
    log.dropsAtMs = this.#clock.now() + keepMs;
    this.#count(log, log.bytes - before);
    // Its readers hear of the end before that.
    if (log.isLeaving) {
      this.#clock.setTimer(0, () => this.#drop(log));
      return;
    }
    this.#makeRoom();
    this.#sweepLater(keepMs);
  }

  #count(log: RunLog, bytes: number): void {
    this.#bytes += bytes;
    const account = this.#accounts.get(log.start.account);
    if (account === undefined) return;
    account.bytes += bytes;
    this.#droppable.set(account, account.bytes - account.fixedBytes);
  }

  #makeRoom(): void {
    while (this.#bytes > this.#bounds.maxBytes) {
      const { largest } = this.#droppable;
      if (largest === undefined || !this.#takeFrom(largest)) return;
    }
  }

  /** Drops the run of a caller that ended first, else the oldest chunk of its largest run. Returns false if it has neither. */
  #takeFrom({ ended: all, working }: Account): boolean {
    const [ended] = all;
    if (ended !== undefined) {
      this.#drop(ended);
      return true;
    }
    const log = largestOf(working, ({ chunkBytes }) => chunkBytes);
    const before = log?.bytes ?? 0;
    if (log?.dropOldest() !== true) return false;
    this.#count(log, log.bytes - before);
    return true;
  }

  #drop(log: RunLog): void {
    if (!this.#ended.delete(log)) return;
    const { agentId, id, account: name } = log.start;
    const runs = this.#byAgent.get(agentId.toString());
    runs?.delete(id);
    if (runs?.size === 0) this.#byAgent.delete(agentId.toString());
    this.#count(log, -log.bytes);
    const account = this.#accounts.get(name);
    account?.ended.delete(log);
    if (account?.running === 0 && account.ended.size === 0) this.#accounts.delete(name);
    log.drop();
  }

  /** Drops runs whose time is over, many at once. Each has its own time, so that the soonest is searched. */
  #sweepLater(afterMs: number): void {
    const atMs = this.#clock.now() + afterMs;
    if (this.#sweep !== undefined && this.#sweep.atMs <= atMs) return;
    this.#sweep?.timer.cancel();
    const timer = this.#clock.setTimer(Math.min(afterMs, longestTimerMs), () => this.#sweepNow());
    this.#sweep = { atMs, timer };
  }

  #sweepNow(): void {
    this.#sweep = undefined;
    const nowMs = this.#clock.now();
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const log of [...this.#ended]) {
      const { dropsAtMs = 0 } = log;
      if (dropsAtMs <= nowMs) this.#drop(log);
      else soonestMs = Math.min(soonestMs, dropsAtMs);
    }
    if (this.#ended.size > 0) this.#sweepLater(Math.max(sweepEveryMs, soonestMs - nowMs));
  }
}

/** Runs whose time is over are dropped together, at most this number of milliseconds late. */
const sweepEveryMs = 250;

function nameOf({ type, key }: AgentName): string {
  return `${type}/${key}`;
}

function createAccount(): Account {
  return { running: 0, bytes: 0, fixedBytes: 0, working: new Set(), ended: new Set() };
}

function largestOf<T>(all: Iterable<T>, sizeOf: (one: T) => number): T | undefined {
  let largest: T | undefined;
  for (const one of all) if (largest === undefined || sizeOf(one) > sizeOf(largest)) largest = one;
  return largest;
}

function overloaded(why: string): UndeliverableException {
  const text = `The run was not started: ${why}. Wait until one has ended, or cancel one.`;
  return new UndeliverableException(text, { code: "overloaded", notHandled: true });
}
