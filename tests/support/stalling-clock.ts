import type { Clock, Timer } from "../../src/core/index.ts";

interface Pending {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** The clock of an event loop that a test blocks: timers fire after the block, and not at their time. */
export class StallingClock implements Clock {
  #nowMs = 0;
  #timers: Pending[] = [];

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const pending = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.push(pending);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((timer) => timer !== pending);
      },
    };
  }

  /** One turn of the loop after it was blocked for so long. */
  turnAfter(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs)) {
      if (!this.#timers.includes(timer)) continue;
      this.#timers = this.#timers.filter((other) => other !== timer);
      timer.callback();
    }
  }
}
