import { type Clock, longestTimerMs, type Timer } from "../clock.ts";
import { TimedOutError, UndeliverableException } from "../errors.ts";
import { followAbort, unfollowAbort } from "../follow-abort.ts";
import { abortError, type CallBounds } from "./calls/call-bounds.ts";

/** Bounds of a call that waits for its agent type. */
export interface TargetWait extends CallBounds {
  /** Milliseconds; at most as long as the call may take. */
  readonly waitForTarget: number;
}

/** Calls that wait until their agent type is registered in this process (option `waitForTarget`). */
export class TypeArrivals {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Resolves when the type is registered. Otherwise it rejects with the outcome of the call. That is `UndeliverableException` when
   * `waitForTarget` is over, `TimedOutError` when the time of the call is up, `CancelledError` when its signal aborts.
   */
  wait(type: string, { waitForTarget, timeoutMs, signal }: TargetWait): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => signal !== undefined && settle(abortError(signal));
      const settle = (error: Error | undefined) => {
        timer?.cancel();
        unfollowAbort(signal, onAbort);
        this.#forget(type, settle);
        if (error === undefined) resolve();
        else reject(error);
      };
      const waitMs = Math.min(waitForTarget, timeoutMs ?? Number.POSITIVE_INFINITY);
      const isTimeOfCall = timeoutMs !== undefined && timeoutMs <= waitForTarget;
      const giveUp = () => settle(isTimeOfCall ? noTimeLeftError(type, waitMs) : notServedError(type, waitMs));
      const timer: Timer | undefined =
        waitMs > longestTimerMs ? undefined : this.#clock.setTimer(waitMs, giveUp, { keepAlive: true });
      followAbort(signal, onAbort);
      const waiting = this.#waiting.get(type) ?? new Set();
      this.#waiting.set(type, waiting.add(settle));
    });
  }

  /** The type is registered: its calls go on. */
  arrived(type: string): void {
    for (const settle of [...(this.#waiting.get(type) ?? [])]) settle(undefined);
  }

  /** Nothing more arrives: all that wait reject. */
  rejectAll(makeError: () => Error): void {
    for (const waiting of [...this.#waiting.values()]) for (const settle of [...waiting]) settle(makeError());
  }

  #forget(type: string, waiter: Waiter): void {
    const waiting = this.#waiting.get(type);
    if (waiting?.delete(waiter) === true && waiting.size === 0) this.#waiting.delete(type);
  }
}

type Waiter = (error: Error | undefined) => void;

/** Creates the outcome of a call whose agent type was not registered within `waitForTarget`. */
export function notServedError(type: string, waitedMs: number): UndeliverableException {
  return new UndeliverableException(
    `Recipient not found: no worker registered agent type ${type} within ${waitedMs} ms (waitForTarget). ` +
      "Register the type, correct it in the call, or wait longer.",
    { notHandled: true },
  );
}

/** Creates the outcome of a call whose own time was up while it waited for its agent type. */
export function noTimeLeftError(type: string, waitedMs: number): TimedOutError {
  return new TimedOutError(
    `The call waited ${waitedMs} ms, all its time, for agent type ${type} to be registered. It was not sent.`,
  );
}
