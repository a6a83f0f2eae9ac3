import type { Clock } from "../clock.ts";

/** When the time of a call is up, by the clock it was given by. */
export interface Deadline {
  readonly atMs: number;
  readonly clock: Clock;
}

/** Undefined when there is no bound. */
export function deadlineAfter(timeoutMs: number | undefined, clock: Clock): Deadline | undefined {
  return timeoutMs === undefined || !Number.isFinite(timeoutMs) ? undefined : { atMs: clock.now() + timeoutMs, clock };
}

/** Whole milliseconds, never below 0; rounded up, so that nobody is out of time before the caller is. */
export function remainingMs({ atMs, clock }: Deadline): number {
  return Math.max(0, Math.ceil(atMs - clock.now()));
}

const deadlines = new WeakMap<AbortSignal, Deadline>();

/**
 * The deadline of the call whose handler was given this signal. A call that is made with the signal inherits the time
 * that is left; signals that others make have none.
 */
export function deadlineOf(signal: AbortSignal | undefined): Deadline | undefined {
  return signal === undefined ? undefined : deadlines.get(signal);
}

/** For whoever makes a handler's signal; undefined takes the deadline away, once the handler has ended. */
export function setDeadline(signal: AbortSignal, deadline: Deadline | undefined): void {
  if (deadline === undefined) deadlines.delete(signal);
  else deadlines.set(signal, deadline);
}
