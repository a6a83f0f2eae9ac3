import type { Clock, Timer } from "../core/internal.ts";
import { limits } from "./limits.ts";

/** Work of one owner, in the order in which it came. */
interface Queue {
  readonly works: Iterator<() => void>[];
  /** Place of the work that runs now; those before it are done. */
  at: number;
}

/**
 * Runs the long work of a host in batches, so that messages get their turn in between. One runner serves the whole host: at most
 * `limits.batchSize` tasks run in one turn of the event loop, for all owners together. Tasks run at once while the turn has some
 * left, and in later turns after that. Owners take turns of `limits.batchShare` tasks, so that no owner waits for the end of
 * another's long work. The work of one owner runs in order.
 */
export class BatchRunner {
  readonly #clock: Clock;
  /** Owners that wait, in the order of their turns. */
  readonly #waiting = new Map<unknown, Queue>();
  /** Tasks that may still run in this turn of the event loop. */
  #left: number = limits.batchSize;
  #isRunning = false;
  #isClosed = false;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `owner`: the client id that the work is for, or the part of the host; compared by identity. */
  add(owner: unknown, tasks: Iterable<() => void>): void {
    const work = tasks[Symbol.iterator]();
    const waiting = this.#waiting.get(owner);
    if (waiting !== undefined) {
      waiting.works.push(work);
      return;
    }
    const queue: Queue = { works: [work], at: 0 };
    this.#waiting.set(owner, queue);
    // What a task adds waits for its owner's turn, so that a chain of such tasks ends with the turn, too.
    if (!this.#isRunning) this.#run(owner, queue, this.#isClosed ? Number.POSITIVE_INFINITY : this.#left);
    this.#plan();
  }

  /** Runs all that is left now. */
  finish(): void {
    for (const [owner, queue] of this.#waiting) this.#run(owner, queue, Number.POSITIVE_INFINITY);
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#left = limits.batchSize;
  }

  /** As `finish`; what is added later runs at once, and needs no timer. */
  close(): void {
    this.#isClosed = true;
    this.finish();
  }

  /** Gives the next turn its tasks. No timer is needed if this turn has used none. */
  #plan(): void {
    if (this.#isClosed || (this.#waiting.size === 0 && this.#left === limits.batchSize)) return;
    this.#timer ??= this.#clock.setTimer(0, () => this.#onTurn(), { keepAlive: this.#waiting.size > 0 });
  }

  #onTurn(): void {
    this.#timer = undefined;
    this.#left = limits.batchSize;
    try {
      // An owner with more work is entered again behind the others, where this loop finds it.
      for (const [owner, queue] of this.#waiting) {
        if (this.#left <= 0) break;
        this.#run(owner, queue, Math.min(limits.batchShare, this.#left));
      }
    } finally {
      this.#plan();
    }
  }

  /** Runs up to `most` tasks of an owner, which is the last in the order then. */
  #run(owner: unknown, queue: Queue, most: number): void {
    let count = 0;
    this.#isRunning = true;
    try {
      for (let work = queue.works[queue.at]; work !== undefined && count < most; work = queue.works[queue.at]) {
        const task = work.next();
        if (task.done) {
          queue.at += 1;
          continue;
        }
        count += 1;
        task.value();
      }
    } finally {
      this.#isRunning = false;
      this.#left -= count;
      this.#waiting.delete(owner);
      if (queue.at < queue.works.length) this.#waiting.set(owner, shortened(queue));
    }
  }
}

/** Drops the works that are done once they are half of all. */
function shortened(queue: Queue): Queue {
  if (2 * queue.at < queue.works.length) return queue;
  return { works: queue.works.slice(queue.at), at: 0 };
}
