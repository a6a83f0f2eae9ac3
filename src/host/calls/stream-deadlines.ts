import { type Clock, lateMs, readingMs, type Timer } from "../../core/internal.ts";
import { limits } from "../limits.ts";
import type { PendingCall } from "../sessions/pending-call.ts";

export interface StreamDeadlinesParts {
  readonly clock: Clock;
  /** Milliseconds after the last chunk or grant. */
  readonly timeoutMs: number;
  readonly onDue: (call: PendingCall) => void;
}

/** Streams that fall due at the same moment. */
interface Moment {
  readonly calls: Set<PendingCall>;
  timer: Timer;
}

/** A moment is this part of the timeout, rounded up: so many moments have a timer at most, and one more. */
const moments = 1_000;
/** The place of a call that stands here, and not among calls whose deadlines do not move. */
export const streamSlot = -1;

// protocol.md §11.21
/**
 * Watches streams with the common timeout, which counts from their last chunk or grant. A chunk notes the time and nothing else: the timer looks
 * when it fires. Streams of one moment share a timer, so that an open stream costs a place in a set.
 */
export class StreamDeadlines {
  readonly #parts: StreamDeadlinesParts;
  readonly #grainMs: number;
  readonly #moments = new Map<number, Moment>();

  constructor(parts: StreamDeadlinesParts) {
    this.#parts = parts;
    this.#grainMs = Math.max(1, Math.ceil(parts.timeoutMs / moments));
  }

  add(call: PendingCall): void {
    call.dueSlot = streamSlot;
    this.#enter(call, this.#parts.clock.now() + this.#parts.timeoutMs);
  }

  remove(call: PendingCall): void {
    const moment = this.#moments.get(call.dueMs);
    if (!moment?.calls.delete(call) || moment.calls.size > 0) return;
    moment.timer.cancel();
    this.#moments.delete(call.dueMs);
  }

  /** Stops all timers. Call it when no call is left and none will come. */
  close(): void {
    for (const { timer } of this.#moments.values()) timer.cancel();
    this.#moments.clear();
  }

  #enter(call: PendingCall, dueMs: number): void {
    const atMs = Math.ceil(dueMs / this.#grainMs) * this.#grainMs;
    call.dueMs = atMs;
    const moment = this.#moments.get(atMs);
    if (moment === undefined) this.#moments.set(atMs, { calls: new Set([call]), timer: this.#arm(atMs) });
    else moment.calls.add(call);
  }

  #arm(atMs: number): Timer {
    const { clock } = this.#parts;
    return clock.setTimer(Math.min(Math.max(0, atMs - clock.now()), limits.timerMs), () => this.#onTimer(atMs));
  }

  /** After a blocked loop the host first reads what has come: the answer may be there. */
  #onTimer(atMs: number): void {
    const moment = this.#moments.get(atMs);
    if (moment === undefined) return;
    const { clock } = this.#parts;
    const overMs = clock.now() - atMs;
    if (overMs < 0) moment.timer = this.#arm(atMs);
    else if (overMs <= lateMs) this.#sweep(atMs, moment);
    else moment.timer = clock.setTimer(readingMs, () => this.#sweep(atMs, moment));
  }

  #sweep(atMs: number, { calls }: Moment): void {
    const { clock, timeoutMs, onDue } = this.#parts;
    this.#moments.delete(atMs);
    for (const call of calls) {
      // A call whose target can send no chunks has no stream any more.
      const dueMs = call.stream === undefined ? atMs : call.stream.movedMs + timeoutMs;
      if (dueMs > clock.now()) this.#enter(call, dueMs);
      else onDue(call);
    }
  }
}
