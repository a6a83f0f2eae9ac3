import type { SessionEnd, WorkerSession } from "../../cluster/internal.ts";
import type { WorkerIdentity } from "../../protocol/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";
import type { Admitted, PendingAdmission } from "../sessions/admission.ts";

/** The identity that a worker gives itself, and whether it can prove it at another host. */
export interface OpeningWorker {
  readonly kind: "troupe" | "stock";
  readonly clientId: string;
  /** The id counts for a worker of Troupe's alone. */
  readonly said: WorkerIdentity;
  /** Counts the connections of a worker of Troupe's. */
  readonly session: number;
  readonly principal: Admitted;
  /** The address of the worker, without the port. */
  readonly party: string;
}

export interface JoiningParts {
  readonly worker: OpeningWorker;
  /** Holds the channel. */
  readonly held: PendingAdmission;
  readonly abort: AbortController;
  /** The worker has joined, and its channel does not open. */
  readonly onUnused: (session: WorkerSession) => void;
}

/** The join of a worker whose data channel opens. The host holds the channel until it has an outcome. */
export class Joining {
  readonly worker: OpeningWorker;
  /** Rejects with the `RpcError` that refuses the channel. */
  readonly outcome: Promise<Admitted>;
  /** Aborts when the channel has ended, or the join is refused. */
  readonly signal: AbortSignal;
  readonly #held: PendingAdmission;
  readonly #abort: AbortController;
  readonly #onUnused: (session: WorkerSession) => void;
  #joined: WorkerSession | undefined;
  #end: SessionEnd | undefined;
  #onOver: ((end: SessionEnd) => void) | undefined;

  constructor({ worker, held, abort, onUnused }: JoiningParts) {
    this.worker = worker;
    this.outcome = held.outcome;
    this.signal = abort.signal;
    this.#held = held;
    this.#abort = abort;
    this.#onUnused = onUnused;
  }

  /** The identity of the worker in its cluster. Throws `RpcError` if it has not joined. */
  get identity(): WorkerIdentity {
    if (this.#joined === undefined) throw notJoined();
    return { ...this.worker.said, id: this.#joined.workerId };
  }

  /** The worker has joined: its channel opens. */
  succeed(session: WorkerSession): void {
    this.#joined = session;
    this.#held.release();
  }

  refuse(refusal: RpcError): void {
    this.#held.refuse(refusal);
    this.#abort.abort();
  }

  /** The channel does not open. */
  cancel(): void {
    this.#held.cancel();
    this.#abort.abort();
    if (this.#joined !== undefined && this.#onOver === undefined) this.#onUnused(this.#joined);
  }

  /** The channel is open. Returns its session in the cluster; `onOver` is called, in a later turn, when that is over. */
  opened(onOver: (end: SessionEnd) => void): WorkerSession {
    if (this.#joined === undefined) throw notJoined();
    this.#onOver = onOver;
    if (this.#end !== undefined) this.over(this.#end);
    return this.#joined;
  }

  /** The session in the cluster is over. */
  over(end: SessionEnd): void {
    this.#end = end;
    const onOver = this.#onOver;
    if (onOver !== undefined) queueMicrotask(() => onOver(end));
  }
}

/** The cluster did not take the worker in time. */
export function notJoined(why = "This host could not reach its cluster in time"): RpcError {
  return new RpcError(StatusCode.unavailable, `${why}. Try again, or connect to another host.`);
}
