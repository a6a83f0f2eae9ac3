import type { Clock } from "../../core/internal.ts";
import { clearTimeout, setTimeout } from "../real-time.ts";

/** Longest delay that Node's timers accept; a longer one fires immediately. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/**
 * Calls `onPassed` once after `delayMs`, which may exceed Node's longest timer. Uses Node's timers unless `clock` is
 * given. The returned function cancels it and may be called twice.
 */
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
