/** The time that a runtime sees. Tests and simulations pass a clock of their own. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /**
   * Calls `callback` once after `delayMs`; never if that is more than timers can take (24 days). A pending timer of the system clock
   * keeps the process alive only if `options` ask for it.
   */
  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer;
}

export interface TimerOptions {
  /** Whether the pending timer keeps the process alive. Default false. */
  readonly keepAlive?: boolean | undefined;
}

export interface Timer {
  /** The callback is not called any more. Twice is fine. */
  cancel(): void;
  /**
   * Changes whether the pending timer keeps the process alive. A clock may leave it out: the runtime then cancels the timer
   * and sets another one.
   */
  keepAlive?(isWanted: boolean): void;
}

/** The longest delay that timers take; a longer one is the same as none. Node takes a longer one for 1 ms. */
export const longestTimerMs = 2 ** 31 - 1;

/** The time of the machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, callback, options) => {
    if (delayMs > longestTimerMs) return { cancel: () => undefined };
    const timer = setTimeout(callback, delayMs);
    if (options?.keepAlive !== true) timer.unref?.();
    return {
      cancel: () => clearTimeout(timer),
      keepAlive: (isWanted) => void (isWanted ? timer.ref?.() : timer.unref?.()),
    };
  },
};

/** Makes unique ids. A simulation passes its own. Default: random UUIDs (version 4). */
export type MakeId = () => string;

export const randomId: MakeId = () => crypto.randomUUID();
