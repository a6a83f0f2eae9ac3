import { type Clock, longestTimerMs, type Timer } from "../../clock.ts";
import { lateMs, readingMs } from "../../patient-timer.ts";
import type { Deadline } from "../../scope/deadline.ts";
import { type Due, DueHeap, isBefore } from "./due-heap.ts";

/** An item of the queue: it ends at a deadline. The queue writes the fields that begin with `due`. */
export interface Expiring extends Due {
  dueMs: number;
  dueOrder: number;
  /** The place in the heap, `nowhere` or `inLine`. */
  duePlace: number;
  duePrevious: Expiring | undefined;
  dueNext: Expiring | undefined;
  /** Whether the process must stay alive until the item expires or is removed. */
  readonly keepsProcessAlive: boolean;
  /** Called once, when the time is up. The queue has removed it by then. */
  onDue(): void;
}

/** The `duePlace` of an item that is in no queue. */
export const nowhere = -1;
/** The `duePlace` of an item that stands in line and not in the heap. */
const inLine = -2;

const queues = new WeakMap<Clock, DeadlineQueue>();

/** Returns the one queue of a clock. All items of a clock share a timer. */
export function deadlineQueueOf(clock: Clock): DeadlineQueue {
  let queue = queues.get(clock);
  if (queue === undefined) {
    queue = new DeadlineQueue(clock);
    queues.set(clock, queue);
  }
  return queue;
}

/**
 * Holds all items that expire by one clock, with one timer. Setting and cancelling a timer for each call took longer than the
 * call itself. Calls with equal time limits come in the order in which they expire, so they stand in line. Only an item that is
 * due before the last in line goes to a heap. The queue drops a removed item at once.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  #firstInLine: Expiring | undefined;
  #lastInLine: Expiring | undefined;
  readonly #heap = new DueHeap<Expiring>();
  #size = 0;
  #nextOrder = 0;
  #aliveCount = 0;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #timerKeepsAlive = false;
  /** True while a loop that was blocked reads what has come, before the queue decides what is too late. */
  #isReading = false;
  readonly #fire = () => this.#onTimer();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds an item that is in no queue. */
  add(item: Expiring, { atMs }: Deadline): void {
    item.dueMs = atMs;
    item.dueOrder = this.#nextOrder;
    this.#nextOrder += 1;
    this.#size += 1;
    if (item.keepsProcessAlive) this.#aliveCount += 1;
    const last = this.#lastInLine;
    if (last !== undefined && atMs < last.dueMs) this.#heap.add(item);
    else this.#append(item, last);
    // The timer is early enough and keeps the process alive if it must. `#arm` would only take longer to find that.
    if (this.#timerDueMs <= atMs && this.#timerKeepsAlive && this.#timer !== undefined) return;
    this.#arm();
  }

  /** Removes an item. Returns false if it is not in this queue. */
  remove(item: Expiring): boolean {
    if (item.duePlace === nowhere) return false;
    this.#takeOut(item);
    if (this.#aliveCount === 0 || !this.#timerKeepsAlive) this.#arm();
    return true;
  }

  get #first(): Expiring | undefined {
    const one = this.#firstInLine;
    const other = this.#heap.first;
    if (one === undefined || other === undefined) return one ?? other;
    return isBefore(one, other) ? one : other;
  }

  /** Sets the timer early enough. The timer keeps the process alive exactly as long as an item needs it. */
  #arm(): void {
    const first = this.#first;
    const keepAlive = this.#aliveCount > 0;
    if (this.#timer !== undefined) {
      // A timer that is too early costs one check. A timer that is not needed stays if it can let the process end.
      const isEarlyEnough = first === undefined || this.#timerDueMs <= first.dueMs;
      if (isEarlyEnough && this.#keepAlive(this.#timer, keepAlive, first !== undefined)) return;
      this.#timer.cancel();
      this.#timer = undefined;
    }
    if (first === undefined) return;
    this.#timerDueMs = first.dueMs;
    this.#timerKeepsAlive = keepAlive;
    const delayMs = Math.max(0, Math.ceil(first.dueMs - this.#clock.now()));
    this.#timer = this.#clock.setTimer(Math.min(delayMs, longestTimerMs), this.#fire, { keepAlive });
  }

  /** Returns false when the timer must be replaced. */
  #keepAlive(timer: Timer, keepAlive: boolean, isNeeded: boolean): boolean {
    if (timer.keepAlive === undefined) return isNeeded && keepAlive === this.#timerKeepsAlive;
    if (keepAlive === this.#timerKeepsAlive) return true;
    this.#timerKeepsAlive = keepAlive;
    timer.keepAlive(keepAlive);
    return true;
  }

  #onTimer(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.now();
    if (this.#readsFirst(nowMs)) return;
    try {
      for (let first = this.#first; first !== undefined && first.dueMs <= nowMs; first = this.#first) {
        this.#takeOut(first);
        first.onDue();
      }
    } finally {
      this.#arm();
    }
  }

  /** After a blocked loop: waits a moment, so that answers that have come in time are read. */
  #readsFirst(nowMs: number): boolean {
    const first = this.#first;
    this.#isReading = !this.#isReading && first !== undefined && nowMs - first.dueMs > lateMs;
    if (!this.#isReading) return false;
    // `#timerDueMs` stays in the past, so that nothing replaces this timer.
    this.#timerKeepsAlive = this.#aliveCount > 0;
    this.#timer = this.#clock.setTimer(readingMs, this.#fire, { keepAlive: this.#timerKeepsAlive });
    return true;
  }

  #append(item: Expiring, last: Expiring | undefined): void {
    item.duePlace = inLine;
    item.duePrevious = last;
    if (last === undefined) this.#firstInLine = item;
    else last.dueNext = item;
    this.#lastInLine = item;
  }

  #takeOut(item: Expiring): void {
    this.#size -= 1;
    if (item.keepsProcessAlive) this.#aliveCount -= 1;
    if (item.duePlace === inLine) this.#unlink(item);
    else this.#heap.remove(item);
    item.duePlace = nowhere;
  }

  #unlink(item: Expiring): void {
    const { duePrevious, dueNext } = item;
    if (duePrevious === undefined) this.#firstInLine = dueNext;
    else duePrevious.dueNext = dueNext;
    if (dueNext === undefined) this.#lastInLine = duePrevious;
    else dueNext.duePrevious = duePrevious;
    item.duePrevious = undefined;
    item.dueNext = undefined;
  }
}
