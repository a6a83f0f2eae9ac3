import type { Clock, Timer } from "../core/internal.ts";
import { limits } from "./limits.ts";

/**
 * Runs long work in batches, so that the rest of the host gets its turn between two of them. The first batch runs at once, the
 * others one in each later turn of the event loop, in order.
 */
export class BatchRunner {
  readonly #clock: Clock;
  readonly #waiting: Iterator<() => void>[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(tasks: Iterable<() => void>): void {
    const iterator = tasks[Symbol.iterator]();
    if (runBatch(iterator)) return;
    this.#waiting.push(iterator);
    this.#plan();
  }

  /** Runs all that is left now. */
  finish(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const iterator of this.#waiting.splice(0)) while (!runBatch(iterator));
  }

  #plan(): void {
    this.#timer ??= this.#clock.setTimer(0, () => {
      this.#timer = undefined;
      const [first] = this.#waiting;
      if (first !== undefined && runBatch(first)) this.#waiting.shift();
      if (this.#waiting.length > 0) this.#plan();
    });
  }
}

/** True: it was the last batch. */
function runBatch(tasks: Iterator<() => void>): boolean {
  for (let count = 0; count < limits.batchSize; count += 1) {
    const task = tasks.next();
    if (task.done) return true;
    task.value();
  }
  return false;
}
