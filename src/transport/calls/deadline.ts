import type { Clock } from "../../core/internal.ts";

/** Node fires a longer timer at once, so longer waits are made of several. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/** Calls `onPassed` once after `delayMs`, however long that is, by Node's timers unless a clock is given. The returned function calls it off; twice is fine. */
export function startDeadline(delayMs: number, onPassed: () => void, clock?: Clock): () => void {
  if (delayMs === Number.POSITIVE_INFINITY) return () => undefined;
  if (clock !== undefined) {
    const timer = clock.setTimer(delayMs, onPassed, { keepAlive: true });
    return () => timer.cancel();
  }
  let leftMs = delayMs;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const stepMs = Math.min(leftMs, LONGEST_TIMER_MS);
    leftMs -= stepMs;
    timer = setTimeout(() => (leftMs > 0 ? wait() : onPassed()), stepMs);
  };
  wait();
  return () => clearTimeout(timer);
}
