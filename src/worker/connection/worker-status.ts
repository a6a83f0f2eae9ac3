import { StatusReader } from "./status-reader.ts";

/** Where a worker stands with its host. */
export type WorkerStatus =
  /** Not started yet. */
  | { readonly at: "idle" }
  /** Reaching a host, or announcing to it what is registered. `attempt` counts from 1 since the start or the loss. */
  | { readonly at: "connecting"; readonly address: string; readonly attempt: number }
  /** At work; `clientId` is this connection's own. */
  | { readonly at: "connected"; readonly address: string; readonly clientId: string }
  /** No host took the worker; the next attempt is `delayMs` away. */
  | { readonly at: "waiting"; readonly delayMs: number; readonly reason: string }
  /** `stop` lets handlers finish and sends what is queued. */
  | { readonly at: "draining" }
  /** The end of this run. */
  | { readonly at: "closed"; readonly reason: string };

/** The latest status, and readers that are told of each new one. A slow reader gets the latest only: nothing piles up. */
export class StatusBoard {
  #latest: WorkerStatus = { at: "idle" };
  /** Above what a new reader has seen. */
  #version = 1;
  readonly #waiting = new Set<StatusReader>();

  get latest(): WorkerStatus {
    return this.#latest;
  }

  /** Grows with each change. */
  get version(): number {
    return this.#version;
  }

  set(status: WorkerStatus): void {
    this.#latest = status;
    this.#version += 1;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reader of waiting) reader.wake();
  }

  /** The latest status at once, then each change; it ends after `closed`. */
  read(): AsyncIterable<WorkerStatus> {
    return new StatusReader(this);
  }

  /** The reader wants to be woken by the next change. */
  wait(reader: StatusReader): void {
    this.#waiting.add(reader);
  }

  forget(reader: StatusReader): void {
    this.#waiting.delete(reader);
  }
}
