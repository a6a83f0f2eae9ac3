import type { Clock, Timer } from "../core/index.ts";
import { limits } from "./limits.ts";
import type { PendingCall } from "./pending-call.ts";

export interface CallDeadlinesParts {
  readonly clock: Clock;
  /** The timeout that calls have unless their caller wants a shorter one. 0: none. */
  readonly commonMs: number;
  /** All pending calls, oldest first. */
  readonly calls: () => Iterable<PendingCall>;
  /** A call's time is up; it is to leave the pending ones at once. */
  readonly onDue: (call: PendingCall) => void;
}

/**
 * Watches the time of pending calls. Those with the common timeout fall due in the order they came, so one timer serves
 * them all and leaving early costs nothing; a call with a shorter bound of its own has a timer to itself.
 */
export class CallDeadlines {
  readonly #parts: CallDeadlinesParts;
  readonly #own = new Map<PendingCall, Timer>();
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
      if (this.#timer === undefined) this.#arm(timeoutMs);
    } else {
      const fallDue = () => {
        this.#own.delete(call);
        this.#parts.onDue(call);
      };
      this.#own.set(call, clock.setTimer(Math.min(timeoutMs, limits.timerMs), fallDue));
    }
  }

  remove(call: PendingCall): void {
    if (call.timeoutMs === this.#parts.commonMs) return;
    this.#own.get(call)?.cancel();
    this.#own.delete(call);
  }

  /** No call falls due any more. */
  close(): void {
    this.#timer?.cancel();
    for (const timer of this.#own.values()) timer.cancel();
    this.#own.clear();
  }

  #arm(delayMs: number): void {
    this.#timer = this.#parts.clock.setTimer(Math.min(delayMs, limits.timerMs), () => {
      this.#timer = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    const { clock, commonMs, calls, onDue } = this.#parts;
    for (const call of calls()) {
      if (call.timeoutMs !== commonMs) continue;
      const leftMs = call.dueMs - clock.now();
      if (leftMs > 0) return this.#arm(leftMs);
      onDue(call);
    }
  }
}
