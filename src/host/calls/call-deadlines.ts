import type { Clock, Timer } from "../../core/internal.ts";
import { limits } from "../limits.ts";
import type { PendingCall } from "../sessions/pending-call.ts";

export interface CallDeadlinesParts {
  readonly clock: Clock;
  /** The timeout of calls whose caller wants no shorter one. 0: none. */
  readonly commonMs: number;
  /** A call has timed out; it must leave the pending ones at once. */
  readonly onDue: (call: PendingCall) => void;
}

/** Calls that have left and are kept before a sweep, at least. */
const mostLeft = 1_024;

/**
 * Watches the deadlines of pending calls. Calls with the common timeout fall due in the order they came: one timer serves them
 * all, and leaving early costs nothing. A call with a shorter timeout has a timer to itself.
 */
export class CallDeadlines {
  readonly #parts: CallDeadlinesParts;
  /** Calls with the common timeout, the oldest first; some of them have left. */
  #common: PendingCall[] = [];
  #leftCount = 0;
  #timer: Timer | undefined;

  constructor(parts: CallDeadlinesParts) {
    this.#parts = parts;
  }

  add(call: PendingCall): void {
    const { clock, commonMs } = this.#parts;
    const { timeoutMs } = call;
    if (timeoutMs === 0) return;
    if (timeoutMs === commonMs) {
      call.dueMs = clock.now() + timeoutMs;
      this.#common.push(call);
      if (this.#timer === undefined) this.#arm(timeoutMs);
    } else {
      call.timer = clock.setTimer(Math.min(timeoutMs, limits.timerMs), () => this.#parts.onDue(call));
    }
  }

  remove(call: PendingCall): void {
    if (call.timeoutMs === this.#parts.commonMs) return this.#leave(call);
    call.timer?.cancel();
  }

  /** Stops the timer. Call it when no call is left and none will come. */
  close(): void {
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    this.#timer = this.#parts.clock.setTimer(Math.min(delayMs, limits.timerMs), () => {
      this.#timer = undefined;
      this.#sweep();
    });
  }

  #leave(call: PendingCall): void {
    if (call.dueMs === 0) return;
    call.dueMs = 0;
    this.#leftCount += 1;
    const isAll = this.#leftCount === this.#common.length;
    if (!isAll && (this.#leftCount < mostLeft || 2 * this.#leftCount < this.#common.length)) return;
    this.#common = isAll ? [] : this.#common.filter(({ dueMs }) => dueMs > 0);
    this.#leftCount = 0;
  }

  #sweep(): void {
    const { clock, onDue } = this.#parts;
    for (const call of this.#common) {
      if (call.dueMs === 0) continue;
      const leftMs = call.dueMs - clock.now();
      if (leftMs > 0) return this.#arm(leftMs);
      onDue(call);
    }
  }
}
