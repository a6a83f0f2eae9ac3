import type { Clock, Timer } from "../core/internal.ts";
import { limits } from "./limits.ts";

/**
 * Long work in lots, so that whatever else the host has to do gets its turn between two of them. The first lot is done at
 * once, the others when their turns come, in order.
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
    if (doLot(iterator)) return;
    this.#waiting.push(iterator);
    this.#plan();
  }

  /** Does now all that is left. */
  finish(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const iterator of this.#waiting.splice(0)) while (!doLot(iterator));
  }

  #plan(): void {
    this.#timer ??= this.#clock.setTimer(0, () => {
      this.#timer = undefined;
      const [first] = this.#waiting;
      if (first !== undefined && doLot(first)) this.#waiting.shift();
      if (this.#waiting.length > 0) this.#plan();
    });
  }
}

/** True: it was the last one. */
function doLot(tasks: Iterator<() => void>): boolean {
  for (let count = 0; count < limits.lotSize; count += 1) {
    const task = tasks.next();
    if (task.done) return true;
    task.value();
  }
  return false;
}
