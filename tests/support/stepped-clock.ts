import { type Clock, realClock, type Timer } from "../../src/core/internal.ts";
import { ManualClock } from "../../src/testing/index.ts";

/** A clock that moves only when a test tells it to, under which hosts still work: what waits for the next turn of the event loop does not wait for the test. */
export class SteppedClock implements Clock {
  readonly #manual = new ManualClock(1_000_000);

  now(): number {
    return this.#manual.now();
  }

  wallNow(): number {
    return this.#manual.wallNow();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return delayMs > 0 ? this.#manual.setTimer(delayMs, callback) : realClock.setTimer(delayMs, callback);
  }

  /** Moves the clock on by so many milliseconds at once. */
  advance(byMs: number): void {
    this.#manual.advance(byMs);
  }

  /** Moves the clock on in steps, with turns of the event loop between them in which others answer. */
  async pass(ms: number, stepMs = 250): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      this.#manual.advance(Math.min(stepMs, ms - passedMs));
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
