/** Clock of a runtime. Tests and simulations pass their own. */
export interface Clock {
  /** Milliseconds; never decreases. */
  now(): number;
  /**
   * Calls `callback` once after `delayMs`; never if the delay exceeds Node's timers (24 days). A pending timer keeps
   * the process alive only with `keepAlive`.
   */
  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer;
}

/** Options of a timer. */
export interface TimerOptions {
  /**
   * Keeps the process alive while the timer is pending. Default: false. Set it if a caller awaits the timer, such as
   * the timeout of a call.
   */
  readonly keepAlive?: boolean | undefined;
}

/** A pending timer of a clock. */
export interface Timer {
  /** Cancels the timer. May be called twice. */
  cancel(): void;
  /**
   * Changes whether the pending timer keeps the process alive. A clock may leave it out: a runtime then cancels the timer and
   * sets another one.
   */
  keepAlive?(isWanted: boolean): void;
}

/** Longest delay of a timer; a longer one never fires. Node would fire it after 1 ms. */
export const longestTimerMs = 2 ** 31 - 1;

/** Clock of the system. */
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

/** Creates unique ids. Default: random UUIDs (version 4). Simulations pass their own. */
export type MakeId = () => string;

/** Creates a random UUID (version 4). */
export const randomId: MakeId = () => crypto.randomUUID();
