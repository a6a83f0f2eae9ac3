/** Time as a runtime sees it; handed in, so that a simulation can own it. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /**
   * Calls `callback` once after `delayMs`; never if that is more than timers can take (24 days). A pending timer of the system clock
   * keeps the process alive only if asked to.
   */
  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer;
}

export interface TimerOptions {
  /** Default false. True where somebody awaits what the timer ends, such as a call's timeout. */
  readonly keepAlive?: boolean | undefined;
}

export interface Timer {
  /** The callback is not called any more. Twice is fine. */
  cancel(): void;
}

/** The longest delay that timers take; a longer one is the same as none. Node would take it for 1 ms. */
export const longestTimerMs = 2 ** 31 - 1;

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, callback, options) => {
    if (delayMs > longestTimerMs) return { cancel: () => undefined };
    const timer = setTimeout(callback, delayMs);
    if (options?.keepAlive !== true) timer.unref?.();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Makes ids that are unique; a simulation hands in its own. Default: random UUIDs (version 4). */
export type MakeId = () => string;

export const randomId: MakeId = () => crypto.randomUUID();
