import type { StatusBoard, WorkerStatus } from "./worker-status.ts";

type Result = IteratorResult<WorkerStatus, undefined>;

const done: Result = { done: true, value: undefined };

/** One reader of a board. No generator: whoever stops reading while he waits for a change must not wait for it. */
export class StatusReader implements AsyncIterableIterator<WorkerStatus, undefined> {
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

  /** The status has changed. */
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
