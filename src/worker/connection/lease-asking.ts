import { type Clock, type Timer, watchingClock } from "../../core/internal.ts";
import type { HeartbeatFrame } from "../../protocol/internal.ts";
import { heartbeatQuestion } from "./heartbeat.ts";

// protocol.md §11.19 E5
/** Milliseconds between two questions. */
const everyMs = 1_000;
/** Least milliseconds between two questions while something waits for a lease. */
const leastMs = 100;

export interface LeaseAskingOptions {
  readonly clock: Clock;
  /** Returns the number of the next question. Undefined: an answer would not count. */
  readonly nextSeq: () => number | undefined;
  /** Whether the worker has a lease. */
  readonly isHeld: () => boolean;
  /** Asks on the side stream. False: it is not open. */
  readonly sayBeside: (question: HeartbeatFrame) => boolean;
  /** Asks on the data channel. */
  readonly say: (question: HeartbeatFrame) => void;
}

/** Asks a host for the lease of this worker: once a second, and at once when something waits for it. */
export class LeaseAsking {
  readonly #options: LeaseAskingOptions;
  readonly #clock: Clock;
  #isOn = false;
  #askedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(options: LeaseAskingOptions) {
    this.#options = options;
    this.#clock = watchingClock(options.clock);
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
    const { isHeld, sayBeside, say } = this.#options;
    const isAsked = this.#ask(sayBeside);
    // One of the two streams may be held up, also by a proxy.
    if (!isAsked || !isHeld()) this.#ask(say);
  }

  #ask<Said>(say: (question: HeartbeatFrame) => Said): Said | undefined {
    const seq = this.#options.nextSeq();
    return seq === undefined ? undefined : say(heartbeatQuestion(seq));
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => this.#askNow());
  }
}
