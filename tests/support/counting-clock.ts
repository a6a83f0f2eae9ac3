import type { Clock, Timer, TimerOptions } from "troupe";

/** Another clock's time, and how many of its timers wait: Node does not tell of those that keep no process alive. */
export class CountingClock implements Clock {
  readonly #clock: Clock;
  /** With the delay of each. */
  readonly #pending = new Map<Timer, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Timers that wait and were set for so long. */
  pendingOf(delayMs: number): number {
    return [...this.#pending.values()].filter((delay) => delay === delayMs).length;
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
    this.#pending.set(timer, delayMs);
    return timer;
  }
}
