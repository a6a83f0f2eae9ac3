// How the publisher keeps in step with its workers: the same for every contender. The Python twin is in bench/python/events.py.

/** Events that are published together, and after how many a worker tells how far it is. */
export const lot = 64;

/**
 * How many events the publisher may be ahead of the slowest worker: sixteen reports of it, so that none has to wait for a
 * report's way back, and so few that no queue comes near a bound where events are dropped.
 */
export const windowEvents = 1_024;

/** For how long nobody may get anywhere before the rest counts as lost, in milliseconds. */
export const stalledAfterMs = 30_000;

/** Nanoseconds of the system's monotonic clock, which all processes of a machine share: Python's `time.monotonic_ns()`. */
export function nowNs(): number {
  return Number(process.hrtime.bigint());
}
