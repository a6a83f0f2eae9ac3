import type { Clock, Timer } from "../core/index.ts";
import { limits } from "./limits.ts";
import type { PendingCall } from "./pending-call.ts";

/**
 * Calls whose time runs. Those with the host's own timeout fall due in the order they came, so one timer serves them all;
 * a call with a shorter bound of its own has a timer to itself.
 */
export class CallDeadlines {
  readonly #clock: Clock;
  readonly #commonMs: number;
  /** Told once for each call, which is forgotten by then. */
  readonly #onDue: (call: PendingCall) => void;
  /** Calls with the common timeout and when they fall due, oldest first. */
  readonly #common = new Map<PendingCall, number>();
  readonly #own = new Map<PendingCall, Timer>();
  #timer: Timer | undefined;

  constructor(clock: Clock, commonMs: number, onDue: (call: PendingCall) => void) {
    this.#clock = clock;
    this.#commonMs = commonMs;
    this.#onDue = onDue;
  }

  add(call: PendingCall): void {
    const { timeoutMs } = call;
    if (timeoutMs === 0) return;
    if (timeoutMs === this.#commonMs) {
      this.#common.set(call, this.#clock.now() + timeoutMs);
      this.#arm(timeoutMs);
    } else {
      const delayMs = Math.min(timeoutMs, limits.timerMs);
      this.#own.set(
        call,
        this.#clock.setTimer(delayMs, () => this.#onDue(call)),
      );
    }
  }

  remove(call: PendingCall): void {
    if (this.#common.delete(call)) return;
    this.#own.get(call)?.cancel();
    this.#own.delete(call);
  }

  /** No call falls due any more. */
  close(): void {
    this.#timer?.cancel();
    for (const timer of this.#own.values()) timer.cancel();
    this.#common.clear();
    this.#own.clear();
  }

  #arm(delayMs: number): void {
    this.#timer ??= this.#clock.setTimer(Math.min(delayMs, limits.timerMs), () => {
      this.#timer = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    for (const [call, dueMs] of this.#common) {
      const leftMs = dueMs - this.#clock.now();
      if (leftMs > 0) return this.#arm(leftMs);
      this.#fallDue(call);
    }
  }

  #fallDue(call: PendingCall): void {
    this.remove(call);
    this.#onDue(call);
  }
}
