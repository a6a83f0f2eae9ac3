/** Node fires a longer timer at once, so longer waits are made of several. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/** Calls `onPassed` once after `delayMs`, however long that is. The returned function calls it off; twice is fine. */
export function startDeadline(delayMs: number, onPassed: () => void): () => void {
  if (delayMs === Number.POSITIVE_INFINITY) return () => undefined;
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
