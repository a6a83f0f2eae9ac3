import { assertArgument, type Clock, longestTimerMs, type OptionKind, type Timer } from "../core/internal.ts";

const moment: OptionKind = { expected: "a finite number", accepts: (value) => Number.isFinite(value) };
const step: OptionKind = {
  expected: "a finite number of at least 0",
  accepts: (value) => typeof value === "number" && Number.isFinite(value) && value >= 0,
};

interface Pending {
  readonly dueMs: number;
  readonly callback: () => void;
}

/**
 * A clock that moves only when a test tells it to. `advance` runs the timers that fall due, in their order.
 *
 * @example
 * ```ts
 * const clock = new ManualClock();
 * const runtime = new SingleThreadedAgentRuntime({ clock, defaultTimeoutMs: 1_000 });
 * clock.advance(1_000); // open calls end with a timeout
 * ```
 */
export class ManualClock implements Clock {
  readonly #timers = new Set<Pending>();
  #nowMs: number;

  /** `startMs` is what `now` returns at first. */
  constructor(startMs = 0) {
    assertArgument(startMs, "The start of a ManualClock, in milliseconds,", moment);
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** The same as `now()`: the time since 1970 begins with 0, or with `startMs`. */
  wallNow(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (delayMs > longestTimerMs) return { cancel: () => undefined };
    const pending = { dueMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.add(pending);
    return { cancel: () => this.#timers.delete(pending) };
  }

  /** Number of timers that have neither run nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves the clock on by so many milliseconds. A clock does not go back: throws `invalid-argument` for a negative number. */
  advance(byMs: number): void {
    assertArgument(byMs, "The milliseconds to advance a ManualClock by", step);
    const endMs = this.#nowMs + byMs;
    for (let next = this.#nextDue(endMs); next !== undefined; next = this.#nextDue(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#nowMs = endMs;
  }

  #nextDue(endMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer;
    }
    return first;
  }
}
