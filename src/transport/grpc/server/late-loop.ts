import { clearTimeout, nowMs, setTimeout } from "../../real-time.ts";
import { TURN_MS } from "../turns/costs.ts";

const INTERVAL_MS = 50;

/**
 * Calls back in each interval after which the event loop comes too late, until the returned function is called. `isFirst`: the interval before
 * was not late.
 */
export function watchLoop(onLate: (isFirst: boolean) => void): () => void {
  let wasLate = false;
  let timer: NodeJS.Timeout;
  const plan = (): void => {
    const dueMs = nowMs() + INTERVAL_MS;
    timer = setTimeout(() => {
      const isLate = nowMs() - dueMs > TURN_MS;
      if (isLate) onLate(!wasLate);
      wasLate = isLate;
      plan();
    }, INTERVAL_MS).unref();
  };
  plan();
  return () => clearTimeout(timer);
}
