import type { Clock, Timer, TimerOptions } from "./clock.ts";

/** A timer that fires later than this shows that the event loop was blocked. */
export const lateMs = 10;
/** Milliseconds in which a loop that was blocked reads what has come meanwhile. */
export const readingMs = 10;

/** Parts of a patient wait, and the number of parts by which it may grow. */
const parts = 5;

/**
 * Calls back once when a peer has had `delayMs` for its answer. Time in which this event loop was blocked counts only in part: an
 * answer may have come and not been read. The loop has turned several times before the callback, the last time without a delay.
 * The wait grows to twice as many parts at most.
 */
export function setPatientTimer(clock: Clock, delayMs: number, onPassed: () => void, options?: TimerOptions): Timer {
  const partMs = delayMs / parts;
  let left = parts;
  let extra = parts;
  let dueMs = clock.now();
  let timer: Timer | undefined;
  const wait = () => {
    dueMs += partMs;
    timer = clock.setTimer(Math.max(0, dueMs - clock.now()), onPart, options);
  };
  const onPart = () => {
    const nowMs = clock.now();
    const isLate = nowMs - dueMs > Math.max(partMs / 2, lateMs);
    if (isLate) dueMs = nowMs;
    left -= 1;
    if (left > 0) return wait();
    if (!isLate || extra === 0) return onPassed();
    left = 1;
    extra -= 1;
    wait();
  };
  wait();
  return { cancel: () => timer?.cancel() };
}
