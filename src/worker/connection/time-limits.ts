import {
  type Clock,
  followAbort,
  setPatientTimer,
  TimedOutError,
  type Timer,
  unfollowAbort,
} from "../../core/internal.ts";

export interface TimeLimit {
  readonly ms: number;
  /** Name of the option that sets the time, for the text of the error. */
  readonly option: string;
  readonly clock: Clock;
  /** Ends `body` as well. */
  readonly signal: AbortSignal;
}

/**
 * Runs `body` with a signal that aborts with `TimedOutError` when the time is up, and as the signal of the limit does. Time in
 * which this process was busy counts only in part.
 */
export async function withinLimit<T>(
  { ms, option, clock, signal: given }: TimeLimit,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const follow = () => controller.abort(given.reason);
  followAbort(given, follow);
  if (given.aborted) follow();
  const timeOut = () => controller.abort(new TimedOutError(`No answer within ${ms} ms (the option ${option}).`));
  const timer = setPatientTimer(clock, ms, timeOut, { keepAlive: true });
  try {
    return await body(controller.signal);
  } finally {
    timer.cancel();
    unfollowAbort(given, follow);
  }
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. Keeps the process alive. */
export async function sleepMs(ms: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  let stop = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => reject(signal?.reason);
      const timer = clock.setTimer(ms, resolve, { keepAlive: true });
      followAbort(signal, giveUp);
      stop = () => {
        timer.cancel();
        unfollowAbort(signal, giveUp);
      };
    });
  } finally {
    stop();
  }
}

/** Settles as `promise` does. Resolves to undefined when the time is up or the signal aborts first. Keeps the process alive. */
export function atMost<T>(promise: Promise<T>, ms: number, clock: Clock, signal?: AbortSignal): Promise<T | undefined> {
  return new MovableLimit(ms, clock).atMost(promise, signal);
}

/** A time limit for one wait, which can be set anew while it runs. Keeps the process alive. */
export class MovableLimit {
  readonly #clock: Clock;
  #timer: Timer;
  #isOver = false;
  #onOver: () => void = () => undefined;

  constructor(ms: number, clock: Clock) {
    this.#clock = clock;
    this.#timer = this.#start(ms);
  }

  /** From now on so many milliseconds are left. */
  set(ms: number): void {
    this.#timer.cancel();
    this.#timer = this.#start(ms);
  }

  /** Settles as `promise` does. Resolves to undefined when the time is up or the signal aborts first. Then the limit ends. */
  async atMost<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
    let giveUp = () => {};
    const givenUp = new Promise<undefined>((resolve) => {
      giveUp = () => resolve(undefined);
    });
    this.#onOver = giveUp;
    followAbort(signal, giveUp);
    if (this.#isOver || signal?.aborted === true) giveUp();
    try {
      return await Promise.race([promise, givenUp]);
    } finally {
      this.#timer.cancel();
      unfollowAbort(signal, giveUp);
    }
  }

  #start(ms: number): Timer {
    const end = () => {
      this.#isOver = true;
      this.#onOver();
    };
    return this.#clock.setTimer(ms, end, { keepAlive: true });
  }
}
