import { type Clock, type Timer, watchingClock } from "../../core/internal.ts";

// protocol.md §11.19 E5
/** Milliseconds between two questions. */
const everyMs = 1_000;
/** Least milliseconds between two questions while something waits for a lease. */
const leastMs = 100;

export interface LeaseAskingOptions {
  readonly clock: Clock;
  /** Asks the host once. */
  readonly ask: () => void;
}

/** Asks a host for the lease of this worker: once a second, and at once when something waits for it. */
export class LeaseAsking {
  readonly #clock: Clock;
  readonly #ask: () => void;
  #isOn = false;
  #askedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor({ clock, ask }: LeaseAskingOptions) {
    this.#clock = watchingClock(clock);
    this.#ask = ask;
  }

  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#askNow();
  }

  stop(): void {
    this.#isOn = false;
    this.#timer?.cancel();
  }

  /** Something waits for a lease. */
  hurry(): void {
    if (!this.#isOn) return;
    const sinceMs = this.#clock.now() - this.#askedMs;
    if (sinceMs >= leastMs) this.#askNow();
    else this.#wait(leastMs - sinceMs);
  }

  #askNow(): void {
    this.#askedMs = this.#clock.now();
    this.#wait(everyMs);
    this.#ask();
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => this.#askNow());
  }
}
