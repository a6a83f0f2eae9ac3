import { othersShare } from "../cluster-times.ts";
import type { Life } from "../life.ts";
import type { WorkerRecord } from "../records/records.ts";

/**
 * The reason why a session is over. `ended`: its channel is gone. `elsewhere`: the worker has a newer connection, here or at another host. `void`: the
 * worker is gone by its record; it must forget its agents of shared types. `life-over`: this host has begun a new life.
 */
export type SessionEnd = "ended" | "elsewhere" | "void" | "life-over";

/** Options of a `WorkerSession`. */
export interface WorkerSessionOptions {
  readonly life: Life;
  readonly record: WorkerRecord;
  /** The address of its worker, without the port. */
  readonly party: string;
  /** Called once when the session is over. */
  readonly onOver: (end: SessionEnd) => void;
}

/** A connection of a worker that has joined the cluster by this host. Nothing is sent to the worker but in its current session. */
export class WorkerSession {
  readonly record: WorkerRecord;
  readonly party: string;
  readonly #life: Life;
  readonly #onOver: (end: SessionEnd) => void;
  #grantedUntilMs = Number.NEGATIVE_INFINITY;
  #isLeaving = false;
  #end: SessionEnd | undefined;

  constructor({ life, record, party, onOver }: WorkerSessionOptions) {
    this.#life = life;
    this.record = record;
    this.party = party;
    this.#onOver = onOver;
  }

  get workerId(): string {
    return this.record.workerId;
  }

  /** Counts the connections of the worker. */
  get number(): number {
    return this.record.session;
  }

  /** Whether messages may be sent to the worker now. Ask again after each wait (rule R2). */
  get isCurrent(): boolean {
    return this.#end === undefined && this.#life.isServing();
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** Whether its worker is being moved to others, so that it gets no new agents. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Gives the worker no new agents from now on. */
  leave(): void {
    this.#isLeaving = true;
  }

  /**
   * Answers a worker that asks for a lease: milliseconds, never beyond the lease of this host. Undefined: it gets none. The worker counts
   * them from when it asked.
   */
  grantLease(): number | undefined {
    if (!this.isCurrent) return undefined;
    const leaseMs = Math.floor(Math.min(this.#life.times.workerLeaseMs, this.#life.leaseLeftMs()));
    if (leaseMs <= 0) return undefined;
    this.#grantedUntilMs = Math.max(this.#grantedUntilMs, this.#life.monotonicNow() + leaseMs);
    return leaseMs;
  }

  /** Milliseconds until everything that was granted is over, by any worker's clock. */
  get grantedMs(): number {
    return Math.max(0, this.#grantedUntilMs - this.#life.monotonicNow()) * othersShare;
  }

  /** Ends the session; twice is fine. */
  over(end: SessionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#onOver(end);
  }
}
