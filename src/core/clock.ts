/** Time as a runtime sees it; handed in, so that a simulation can own it. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls `callback` once after `delayMs`. A pending timer of the system clock keeps the process alive only if asked to. */
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

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, callback, options) => {
    const timer = setTimeout(callback, delayMs);
    if (options?.keepAlive !== true) timer.unref?.();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Makes ids that are unique; a simulation hands in its own. Default: random UUIDs (version 4). */
export type MakeId = () => string;

export const randomId: MakeId = () => crypto.randomUUID();
