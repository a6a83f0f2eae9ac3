import { type Clock, lateMs, readingMs, type Timer } from "../../core/internal.ts";
import { limits } from "../limits.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import { StreamDeadlines, streamSlot } from "./stream-deadlines.ts";

export interface CallDeadlinesParts {
  readonly clock: Clock;
  /** The timeout of calls whose caller wants no shorter one. 0: none. */
  readonly commonMs: number;
  /** A call has timed out. It must leave the pending ones at once, unless a commit decides it. */
  readonly onDue: (call: PendingCall) => void;
}

/** Places of calls that have left before the list is made shorter, at least. */
const mostLeft = 1_024;

/**
 * Watches the deadlines of pending calls. Calls with the common timeout fall due in the order they came: one timer serves them
 * all, and leaving early costs nothing. A call with a shorter timeout has a timer to itself. Streams share theirs.
 */
export class CallDeadlines {
  readonly #parts: CallDeadlinesParts;
  /** Calls with the common timeout, the oldest first; undefined stands for one that has left. */
  #common: (PendingCall | undefined)[] = [];
  #leftCount = 0;
  #timer: Timer | undefined;
  #isReading = false;
  readonly #streams: StreamDeadlines;

  constructor(parts: CallDeadlinesParts) {
    this.#parts = parts;
    this.#streams = new StreamDeadlines({ clock: parts.clock, timeoutMs: parts.commonMs, onDue: parts.onDue });
  }

  add(call: PendingCall): void {
    const { clock, commonMs } = this.#parts;
    const { timeoutMs } = call;
    if (timeoutMs === 0) return;
    if (timeoutMs === commonMs && call.stream !== undefined) return this.#streams.add(call);
    call.dueMs = clock.now() + timeoutMs;
    if (timeoutMs === commonMs) {
      call.dueSlot = this.#common.length;
      this.#common.push(call);
      if (this.#timer === undefined) this.#arm(timeoutMs);
    } else {
      call.timer = clock.setTimer(Math.min(timeoutMs, limits.timerMs), () => this.#onTimer(call));
    }
  }

  remove(call: PendingCall): void {
    if (call.timer !== undefined) call.timer.cancel();
    else if (call.dueSlot === streamSlot) this.#streams.remove(call);
    else if (call.timeoutMs === this.#parts.commonMs) this.#leave(call);
  }

  /** Whether the time of a call that has not left is up. */
  isOver({ dueMs }: PendingCall): boolean {
    return dueMs !== 0 && this.#parts.clock.now() >= dueMs;
  }

  /** Stops the timer. Call it when no call is left and none will come. */
  close(): void {
    this.#timer?.cancel();
    this.#streams.close();
  }

  /** After a blocked loop the host first reads what has come: the answer may be there. */
  #onTimer(call: PendingCall): void {
    const { clock, onDue } = this.#parts;
    if (clock.now() - call.dueMs <= lateMs) return onDue(call);
    call.timer = clock.setTimer(readingMs, () => onDue(call));
  }

  #arm(delayMs: number): void {
    this.#timer = this.#parts.clock.setTimer(Math.min(delayMs, limits.timerMs), () => {
      this.#timer = undefined;
      if (this.#isLate()) this.#arm(readingMs);
      else this.#sweep();
    });
  }

  /** True once after the loop was blocked. */
  #isLate(): boolean {
    const { clock } = this.#parts;
    const first = this.#common.find((call) => call !== undefined);
    this.#isReading = !this.#isReading && first !== undefined && clock.now() - first.dueMs > lateMs;
    return this.#isReading;
  }

  #leave(call: PendingCall): void {
    if (call.dueMs === 0) return;
    call.dueMs = 0;
    this.#common[call.dueSlot] = undefined;
    this.#leftCount += 1;
    const isAll = this.#leftCount === this.#common.length;
    if (!isAll && (this.#leftCount < mostLeft || 2 * this.#leftCount < this.#common.length)) return;
    this.#shorten(isAll);
  }

  #shorten(isAll: boolean): void {
    const common = isAll ? [] : this.#common.filter((call) => call !== undefined);
    common.forEach((call, slot) => {
      call.dueSlot = slot;
    });
    this.#common = common;
    this.#leftCount = 0;
  }

  #sweep(): void {
    const { clock, onDue } = this.#parts;
    for (const call of this.#common) {
      if (call === undefined || call.dueMs === 0) continue;
      const leftMs = call.dueMs - clock.now();
      if (leftMs > 0) return this.#arm(leftMs);
      onDue(call);
    }
  }
}
