/** Status of a worker towards its host. */
export type WorkerStatus =
  /** The worker has not started yet. */
  | { readonly at: "idle" }
  /**
   * The worker dials a host or registers there. The host has not accepted the worker yet. `attempt` counts from 1 since the
   * start or the loss.
   */
  | { readonly at: "connecting"; readonly address: string; readonly attempt: number }
  /** The host has answered on this connection and has every registration. `clientId` names the connection. */
  | { readonly at: "connected"; readonly address: string; readonly clientId: string }
  /** The last attempt failed; the worker makes the next one after `delayMs` milliseconds. */
  | { readonly at: "waiting"; readonly delayMs: number; readonly reason: string }
  /** `stop` lets handlers finish and sends queued messages. */
  | { readonly at: "draining" }
  /** The run has ended. */
  | { readonly at: "closed"; readonly reason: string };

/** Holds the latest status and tells readers each change. A slow reader gets only the latest, so that nothing piles up. */
export class StatusBoard {
  #latest: WorkerStatus = { at: "idle" };
  /** Begins above the version that a new reader has seen. */
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

  /** Yields the latest status at once, then each change; ends after `closed`. */
  read(): AsyncIterable<WorkerStatus> {
    return new StatusReader(this);
  }

  /** Wakes the reader at the next change. */
  wait(reader: StatusReader): void {
    this.#waiting.add(reader);
  }

  forget(reader: StatusReader): void {
    this.#waiting.delete(reader);
  }
}

type Result = IteratorResult<WorkerStatus, undefined>;

const done: Result = { done: true, value: undefined };

/** Reads one board. A generator does not do: its `return` would wait for the change that its `next` waits for. */
class StatusReader implements AsyncIterableIterator<WorkerStatus, undefined> {
  readonly #board: StatusBoard;
  readonly #waiting: ((result: Result) => void)[] = [];
  #seenVersion = 0;
  #isDone = false;

  constructor(board: StatusBoard) {
    this.#board = board;
  }

  next(): Promise<Result> {
    if (this.#isDone) return Promise.resolve(done);
    if (this.#board.version !== this.#seenVersion) return Promise.resolve(this.#take());
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#board.wait(this);
    });
  }

  return(): Promise<Result> {
    this.#end();
    return Promise.resolve(done);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Handles a change of the status. */
  wake(): void {
    this.#waiting.shift()?.(this.#take());
    if (this.#isDone) this.#end();
    else if (this.#waiting.length > 0) this.#board.wait(this);
  }

  #take(): Result {
    this.#seenVersion = this.#board.version;
    this.#isDone = this.#board.latest.at === "closed";
    return { done: false, value: this.#board.latest };
  }

  #end(): void {
    this.#isDone = true;
    this.#board.forget(this);
    for (const resolve of this.#waiting.splice(0)) resolve(done);
  }
}
