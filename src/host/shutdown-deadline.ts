import type { Clock, Timer } from "../core/internal.ts";

/** How long an ending may take. It can be cut short, and not prolonged. */
export class ShutdownDeadline {
  /** Resolves when the time is over. */
  readonly over: Promise<void>;
  readonly #clock: Clock;
  #dueMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #end: () => void = () => {};

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.shorten(graceMs);
  }

  get leftMs(): number {
    return Math.max(0, this.#dueMs - this.#clock.now());
  }

  shorten(graceMs: number): void {
    const dueMs = this.#clock.now() + graceMs;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(graceMs, this.#end);
  }

  /** Nothing waits any more: the timer goes. */
  done(): void {
    this.#timer?.cancel();
  }
}
