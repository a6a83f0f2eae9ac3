import type { Clock, Timer } from "../core/internal.ts";
import { longestTimerMs } from "../core/internal.ts";

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

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
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

  advance(byMs: number): void {
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
