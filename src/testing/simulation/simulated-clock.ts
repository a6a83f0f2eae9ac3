import { assertArgument, type Clock, longestTimerMs, type Timer, withMethods } from "../../core/internal.ts";
import type { Dice } from "./dice.ts";

interface Due {
  readonly atMs: number;
  /** Decides the order of timers that fall due at the same moment. */
  readonly draw: number;
  readonly callback: () => void;
  isCancelled: boolean;
}

/**
 * A clock that jumps from one due timer to the next. The seed decides the order of timers due at the same moment, so
 * code that relies on one order fails for some seed.
 */
export class SimulatedClock implements Clock {
  readonly #dice: Dice;
  /** Sorted; the next one is last. */
  #timers: Due[] = [];
  #nowMs = 0;

  constructor(dice: Dice) {
    assertArgument(dice, "The dice of a SimulatedClock", withMethods("a Dice", "next", "between"));
    this.#dice = dice;
  }

  now(): number {
    return this.#nowMs;
  }

  /** The same as `now()`. */
  wallNow(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (delayMs > longestTimerMs) return { cancel: () => undefined };
    const due = { atMs: this.#nowMs + Math.max(0, delayMs), draw: this.#dice.next(), callback, isCancelled: false };
    this.#timers.splice(this.#placeOf(due), 0, due);
    return { cancel: () => this.#cancel(due) };
  }

  /** Number of timers that have neither run nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Time of the next timer, in milliseconds of this clock; undefined if there is none. */
  get nextDueMs(): number | undefined {
    return this.#timers.at(-1)?.atMs;
  }

  /** Moves to the next timer and runs it. Returns false if there is none. */
  runNext(): boolean {
    const due = this.#timers.pop();
    if (due === undefined) return false;
    due.isCancelled = true;
    this.#nowMs = due.atMs;
    due.callback();
    return true;
  }

  #cancel(due: Due): void {
    if (due.isCancelled) return;
    due.isCancelled = true;
    this.#timers.splice(this.#placeOf(due), 1);
  }

  /** Returns the index of a timer, or the index where it belongs. */
  #placeOf(due: Due): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      // `middle` is between two valid indexes.
      if (isLater(this.#timers[middle] as Due, due)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isLater(one: Due, other: Due): boolean {
  return one.atMs === other.atMs ? one.draw > other.draw : one.atMs > other.atMs;
}
