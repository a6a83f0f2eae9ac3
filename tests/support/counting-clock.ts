import type { Clock, Timer, TimerOptions } from "troupe";

/** Another clock's time, and how many of its timers wait: Node does not tell of those that keep no process alive. */
export class CountingClock implements Clock {
  readonly #clock: Clock;
  readonly #pending = new Set<Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get pendingTimers(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer {
    const inner = this.#clock.setTimer(
      delayMs,
      () => {
        this.#pending.delete(timer);
        callback();
      },
      options,
    );
    const timer: Timer = {
      cancel: () => {
        this.#pending.delete(timer);
        inner.cancel();
      },
    };
    this.#pending.add(timer);
    return timer;
  }
}
