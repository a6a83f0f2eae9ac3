import type { Clock, Timer } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Running } from "./envelope.ts";
import { namesOf } from "./idle-report.ts";

/** A call that a stop left to its handler. */
export type UnansweredCall = Pick<Running, "agentId" | "message" | "call">;

/** The watch warns after this time. */
const warningMs = 1_000;
/** It looks after each such time whether all calls have ended meanwhile. */
const checkEveryMs = 100;

/**
 * Warns of calls that are still unanswered a second after `stop()` left them to their handlers. It keeps the process alive until
 * then, or until all have ended. A process without other work would end first, and its user would not learn why.
 */
export class UnansweredWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #calls: readonly UnansweredCall[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  watch(calls: readonly UnansweredCall[]): void {
    this.end();
    this.#calls = calls;
    this.#check(this.#clock.now() + warningMs);
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#calls = [];
  }

  #check(warnAtMs: number): void {
    this.#calls = this.#calls.filter(({ call }) => call?.isSettled === false);
    if (this.#calls.length === 0) return this.end();
    const leftMs = warnAtMs - this.#clock.now();
    if (leftMs > 0) {
      const delayMs = Math.min(checkEveryMs, leftMs);
      this.#timer = this.#clock.setTimer(delayMs, () => this.#check(warnAtMs), { keepAlive: true });
      return;
    }
    const calls = this.#calls.length === 1 ? "1 call has" : `${this.#calls.length} calls have`;
    this.#logger.warn(
      `The runtime has stopped, but ${calls} no outcome yet: ${namesOf(this.#calls)}. The handlers still run. ` +
        "close() ends such calls; stopWhenIdle() waits for their handlers; a timeoutMs bounds them.",
    );
    this.end();
  }
}
