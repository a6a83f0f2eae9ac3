/** Time as a runtime sees it; handed in, so that a simulation can own it. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls `callback` once after `delayMs`. A pending timer of the system clock does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  /** The callback is not called any more. Twice is fine. */
  cancel(): void;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    timer.unref?.();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Makes ids that are unique; a simulation hands in its own. Default: random UUIDs (version 4). */
export type MakeId = () => string;

export const randomId: MakeId = () => crypto.randomUUID();
