import type { Clock } from "../clock.ts";
import { brandClass } from "../copies.ts";

/** The moment at which the time of a call is up. It is a time of the runtime's own clock, not a date. */
export class Deadline {
  /** Milliseconds, as `clock.now()` counts them. */
  readonly atMs: number;
  /** The clock of the runtime that the deadline comes from. */
  readonly clock: Clock;

  constructor(atMs: number, clock: Clock) {
    this.atMs = atMs;
    this.clock = clock;
  }

  /** Whole milliseconds that are left, rounded up, so that no handler is out of time before its caller is. 0: the time is up. */
  remainingMs(): number {
    return Math.max(0, Math.ceil(this.atMs - this.clock.now()));
  }
}
brandClass(Deadline, "Deadline");

/** The deadline of something that may take `timeoutMs` from now on. Undefined when there is no bound. */
export function deadlineAfter(timeoutMs: number | undefined, clock: Clock): Deadline | undefined {
  return timeoutMs === undefined || !Number.isFinite(timeoutMs)
    ? undefined
    : new Deadline(clock.now() + timeoutMs, clock);
}

/** As `Deadline.remainingMs`. */
export function remainingMs(deadline: Deadline): number {
  return deadline.remainingMs();
}
