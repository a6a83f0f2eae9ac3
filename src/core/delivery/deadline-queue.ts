import { type Clock, longestTimerMs, type Timer } from "../clock.ts";
import type { Deadline } from "../scope/deadline.ts";

/** Something that ends at a deadline. The queue writes the first three fields. */
export interface Expiring {
  dueMs: number;
  /** The place in the queue; below 0: it is not in a queue. */
  duePlace: number;
  /** Of two that are due at the same time the one that came first expires first. */
  dueOrder: number;
  /** Whether the process has to stay alive until this expires or is removed. */
  readonly keepsProcessAlive: boolean;
  /** Called once, when the time is up. The queue has removed it by then. */
  onDue(): void;
}

const queues = new WeakMap<Clock, DeadlineQueue>();

/** Returns the one queue of a clock: whatever expires by the same clock shares a timer. */
export function deadlineQueueOf(clock: Clock): DeadlineQueue {
  let queue = queues.get(clock);
  if (queue === undefined) {
    queue = new DeadlineQueue(clock);
    queues.set(clock, queue);
  }
  return queue;
}

/**
 * Everything that expires by one clock, and one timer for all of it. To set and cancel a timer for each call took longer than
 * the call itself. A binary heap keeps the next one first: calls with equal time limits are added in the order in which they
 * expire, so adding compares once. Removing forgets at once, and costs a few comparisons for each doubling of the size.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #heap: Expiring[] = [];
  #nextOrder = 0;
  #aliveCount = 0;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #timerKeepsAlive = false;
  readonly #fire = () => this.#onTimer();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** It must not be in a queue. */
  add(item: Expiring, { atMs }: Deadline): void {
    item.dueMs = atMs;
    item.dueOrder = this.#nextOrder;
    this.#nextOrder += 1;
    this.#heap.push(item);
    this.#rise(item, this.#heap.length - 1);
    if (item.keepsProcessAlive) this.#aliveCount += 1;
    this.#arm();
  }

  /** False: it is not in here. */
  remove(item: Expiring): boolean {
    if (item.duePlace < 0) return false;
    this.#takeOut(item);
    this.#arm();
    return true;
  }

  /** Sees to it that the timer is early enough, and keeps the process alive exactly as long as something here needs it. */
  #arm(): void {
    const first = this.#heap[0];
    const keepAlive = this.#aliveCount > 0;
    if (this.#timer !== undefined) {
      // A timer that is too early costs one look. One that nobody needs stays, where it can let the process end.
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

  /** False: this timer can't be kept as it is. */
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
    try {
      for (let first = this.#heap[0]; first !== undefined && first.dueMs <= nowMs; first = this.#heap[0]) {
        this.#takeOut(first);
        first.onDue();
      }
    } finally {
      this.#arm();
    }
  }

  #takeOut(item: Expiring): void {
    const place = item.duePlace;
    item.duePlace = -1;
    if (item.keepsProcessAlive) this.#aliveCount -= 1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#sink(last, place);
    if (last.duePlace === place) this.#rise(last, place);
  }

  /** Puts the item at this place, or nearer to the first. */
  #rise(item: Expiring, from: number): void {
    const heap = this.#heap;
    let place = from;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = heap[parentPlace];
      if (parent === undefined || !isBefore(item, parent)) break;
      heap[place] = parent;
      parent.duePlace = place;
      place = parentPlace;
    }
    heap[place] = item;
    item.duePlace = place;
  }

  /** Puts the item at this place, or further from the first. */
  #sink(item: Expiring, from: number): void {
    const heap = this.#heap;
    let place = from;
    for (;;) {
      let childPlace = 2 * place + 1;
      let child = heap[childPlace];
      if (child === undefined) break;
      const right = heap[childPlace + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        childPlace += 1;
      }
      if (!isBefore(child, item)) break;
      heap[place] = child;
      child.duePlace = place;
      place = childPlace;
    }
    heap[place] = item;
    item.duePlace = place;
  }
}

function isBefore(one: Expiring, other: Expiring): boolean {
  return one.dueMs === other.dueMs ? one.dueOrder < other.dueOrder : one.dueMs < other.dueMs;
}
