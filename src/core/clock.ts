/** Clock of a runtime. Tests and simulations pass their own. */
export interface Clock {
  /** Milliseconds; never decreases. */
  now(): number;
  /** Milliseconds since 1970, as the system's date has them. It may go back. */
  wallNow(): number;
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

/** The timer functions that a clock uses. */
type TimerFunctions = Pick<typeof globalThis, "setTimeout" | "clearTimeout">;

// Taken when the module loads. A program that installs fake timers replaces the global functions later.
const real: TimerFunctions = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
const realPerformance = globalThis.performance;
const RealDate = globalThis.Date;

/**
 * Clock of the system. Fake timers of a test move its time limits. A delay of 0 is not a time limit. The caller waits for the next
 * turn of the event loop, which comes under fake timers too.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer: (delayMs, callback, options) => startTimer(delayMs > 0 ? globalThis : real, delayMs, callback, options),
};

/** Clock of the system that no fake timers move. For waits that a test must not have to end. */
export const realClock: Clock = {
  now: () => realPerformance.now(),
  wallNow: () => RealDate.now(),
  setTimer: (delayMs, callback, options) => startTimer(real, delayMs, callback, options),
};

/**
 * Returns the clock for watching a peer. Real time replaces the system's clock: a test whose fake timers move by an hour would lose
 * a peer that lives.
 */
export function watchingClock(clock: Clock): Clock {
  return clock === systemClock ? realClock : clock;
}

function startTimer(by: TimerFunctions, delayMs: number, callback: () => void, options?: TimerOptions): Timer {
  if (delayMs > longestTimerMs) return { cancel: () => undefined };
  const { setTimeout, clearTimeout } = by;
  const timer = setTimeout(callback, delayMs);
  if (options?.keepAlive !== true) timer.unref?.();
  return {
    cancel: () => clearTimeout(timer),
    keepAlive: (isWanted) => void (isWanted ? timer.ref?.() : timer.unref?.()),
  };
}

// As `real` above.
const { setImmediate } = globalThis;

/** Resolves after timers and sockets had their turn. Agents that message each other without end do not block them. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else real.setTimeout(resolve, 0);
  });
}

/**
 * Returns the time of a clock as the code that runs now has read it first. A host that reads a hundred messages at once asks the system's clock once for
 * all of them. Other clocks than the system's are asked each time, because tests move them in between.
 */
export function sharedTime(clock: Clock): () => number {
  if (clock !== systemClock) return () => clock.now();
  let nowMs: number | undefined;
  const forget = (): void => {
    nowMs = undefined;
  };
  return () => {
    if (nowMs === undefined) {
      nowMs = clock.now();
      queueMicrotask(forget);
    }
    return nowMs;
  };
}

/** Creates unique ids. Default: random UUIDs (version 4). Simulations pass their own. */
export type MakeId = () => string;

/** Creates a random UUID (version 4). */
export const randomId: MakeId = () => crypto.randomUUID();
