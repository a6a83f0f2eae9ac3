import { type Clock, lateMs, longestTimerMs, readingMs, realClock, type Timer } from "../../core/internal.ts";

/**
 * Calls `onPassed` once after `delayMs`, which may exceed Node's longest timer. After this process was busy, it first reads what
 * has come. Uses the transport's clock unless `clock` is given. The returned function cancels it and may be called twice.
 */
export function startDeadline(delayMs: number, onPassed: () => void, clock: Clock = realClock): () => void {
  if (delayMs === Number.POSITIVE_INFINITY) return () => undefined;
  const dueMs = clock.now() + delayMs;
  let timer: Timer;
  const wait = (ms: number, then: () => void): void => {
    timer = clock.setTimer(Math.min(ms, longestTimerMs), then, { keepAlive: true });
  };
  const onTimer = (): void => {
    const leftMs = dueMs - clock.now();
    // Timers may fire a fraction of a millisecond early.
    if (leftMs >= 1) wait(leftMs, onTimer);
    else if (leftMs < -lateMs) wait(readingMs, onPassed);
    else onPassed();
  };
  wait(delayMs, onTimer);
  return () => timer.cancel();
}
