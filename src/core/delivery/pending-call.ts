import type { Clock, Timer } from "../clock.ts";
import { systemClock } from "../clock.ts";
import { CancelledError, TimedOutError } from "../errors.ts";

/** What bounds one call. Nothing is armed for a bound that is not set. */
export interface CallBounds {
  /** Rejects with `TimedOutError` after so many milliseconds; undefined or `Infinity`: never. */
  readonly timeoutMs?: number | undefined;
  /** Rejects with `CancelledError` when it aborts, at once when it has aborted. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** Who is called, for the text of `TimedOutError`. */
  readonly recipient?: { toString(): string } | undefined;
  /** Called once if a bound ends the call, before its promise rejects; the error is the one it rejects with. */
  readonly onGivenUp?: ((error: TimedOutError | CancelledError) => void) | undefined;
}

/** The longest delay timers take; a longer one is the same as none. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * One call that waits for its answer: a promise that settles exactly once, by an answer, an error, its timeout or its
 * signal. Once settled no timer and no listener of it is left, and later outcomes are refused with `false`.
 */
export class PendingCall<Answer> {
  readonly promise: Promise<Answer>;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: unknown) => void;
  #settled = false;
  #timer: Timer | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(bounds?: CallBounds) {
    this.promise = new Promise<Answer>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (bounds !== undefined) this.#arm(bounds);
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  resolve(answer: Answer): boolean {
    if (this.#settled) return false;
    this.#release();
    this.#resolve(answer);
    return true;
  }

  reject(error: unknown): boolean {
    if (this.#settled) return false;
    this.#release();
    this.#reject(error);
    return true;
  }

  #arm(bounds: CallBounds): void {
    const { signal, timeoutMs } = bounds;
    if (signal?.aborted) {
      this.#giveUp(bounds, new CancelledError(undefined, { cause: signal.reason }));
      return;
    }
    if (signal !== undefined) {
      this.#signal = signal;
      this.#onAbort = () => this.#giveUp(bounds, new CancelledError(undefined, { cause: signal.reason }));
      signal.addEventListener("abort", this.#onAbort);
    }
    if (timeoutMs !== undefined && timeoutMs <= longestTimerMs) {
      const clock = bounds.clock ?? systemClock;
      const giveUp = () => this.#giveUp(bounds, timedOut(bounds));
      this.#timer = clock.setTimer(timeoutMs, giveUp, { keepAlive: true });
    }
  }

  #giveUp(bounds: CallBounds, error: TimedOutError | CancelledError): void {
    if (this.#settled) return;
    this.#release();
    try {
      bounds.onGivenUp?.(error);
    } finally {
      this.#reject(error);
    }
  }

  #release(): void {
    this.#settled = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
    this.#signal = undefined;
  }
}

function timedOut(bounds: CallBounds): TimedOutError {
  const from = bounds.recipient === undefined ? "" : ` from ${bounds.recipient.toString()}`;
  return new TimedOutError(
    `No answer${from} within ${bounds.timeoutMs} ms. Give the call a larger timeoutMs if its handler needs longer.`,
  );
}
