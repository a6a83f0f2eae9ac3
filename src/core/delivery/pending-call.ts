import { longestTimerMs, systemClock, type Timer } from "../clock.ts";
import { type CancelledError, TimedOutError } from "../errors.ts";
import { abortError, type CallBounds } from "./call-bounds.ts";

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

  /** `bounds`: as `within`. */
  constructor(bounds?: CallBounds) {
    this.promise = new Promise<Answer>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (bounds !== undefined) this.within(bounds);
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

  /** Ends it by its timeout or its signal; to be called once at most. */
  within(bounds: CallBounds): void {
    const { signal, timeoutMs } = bounds;
    if (signal?.aborted) {
      this.#giveUp(bounds, abortError(signal));
      return;
    }
    if (signal !== undefined) {
      this.#signal = signal;
      this.#onAbort = () => this.#giveUp(bounds, abortError(signal));
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
