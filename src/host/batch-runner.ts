import type { Clock, Timer } from "../core/internal.ts";
import { limits } from "./limits.ts";

/** Work of one owner, in the order in which it came. */
interface Queue {
  readonly owner: unknown;
  /** The party with which the owner takes turns until this work is done. */
  readonly party: string;
  readonly works: Iterator<() => void>[];
  /** Place of the work that runs now; those before it are done. */
  at: number;
}

/**
 * Runs the long work of a host in batches, so that messages get their turn in between. One runner serves the whole host: at most
 * `limits.batchSize` tasks run in one turn of the event loop, for all owners together. Tasks run at once while the turn has some
 * left, and in later turns after that. Parties take turns of `limits.batchShare` tasks, and the owners of each party. So no owner waits for
 * the end of another's long work, and none for all owners of another address. The work of one owner runs in order.
 */
export class BatchRunner {
  readonly #clock: Clock;
  readonly #waiting = new Map<unknown, Queue>();
  /** The parties of those that wait and their queues, both in the order of their turns. */
  readonly #parties = new Map<string, Set<Queue>>();
  /** Tasks that may still run in this turn of the event loop. */
  #left: number = limits.batchSize;
  #isRunning = false;
  #isClosed = false;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * `owner`: the client id that the work is for, or the part of the host; compared by identity. `party`: the peer address of the client.
   * Default: the host's own.
   */
  add(owner: unknown, tasks: Iterable<() => void>, party = ""): void {
    const work = tasks[Symbol.iterator]();
    const waiting = this.#waiting.get(owner);
    if (waiting !== undefined) {
      waiting.works.push(work);
      return;
    }
    const queue: Queue = { owner, party, works: [work], at: 0 };
    this.#line(queue);
    // What a task adds waits for its owner's turn, so that a chain of such tasks ends with the turn, too.
    if (this.#isRunning) return this.#plan();
    // No turn comes after the close: what the tasks add runs now, too.
    if (this.#isClosed) return this.finish();
    this.#run(queue, this.#left);
    this.#plan();
  }

  /** Runs all that is left now. */
  finish(): void {
    for (const queue of this.#waiting.values()) this.#run(queue, Number.POSITIVE_INFINITY);
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
      // A party with more work is entered again behind the others, where this loop finds it.
      for (const [party, queues] of this.#parties) {
        if (this.#left <= 0) break;
        const [queue] = queues;
        if (queue !== undefined) this.#run(queue, Math.min(limits.batchShare, this.#left));
        const left = this.#parties.get(party);
        if (left === undefined) continue;
        this.#parties.delete(party);
        this.#parties.set(party, left);
      }
    } finally {
      this.#plan();
    }
  }

  /** Runs up to `most` tasks of an owner, which is the last of its party then. */
  #run(queue: Queue, most: number): void {
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
      this.#leave(queue);
      if (queue.at < queue.works.length) this.#line(shortened(queue));
    }
  }

  #line(queue: Queue): void {
    const queues = this.#parties.get(queue.party) ?? new Set();
    this.#waiting.set(queue.owner, queue);
    this.#parties.set(queue.party, queues.add(queue));
  }

  #leave(queue: Queue): void {
    const queues = this.#parties.get(queue.party);
    this.#waiting.delete(queue.owner);
    queues?.delete(queue);
    if (queues?.size === 0) this.#parties.delete(queue.party);
  }
}

/** Drops the works that are done once they are half of all. */
function shortened(queue: Queue): Queue {
  if (2 * queue.at < queue.works.length) return queue;
  return { ...queue, works: queue.works.slice(queue.at), at: 0 };
}
