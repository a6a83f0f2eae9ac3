// Flow control between the publisher and its workers, the same for every contender. The Python counterpart is in
// bench/python/events.py.

/** Events published together, and events between two reports of a worker. */
export const lot = 64;

/**
 * Maximum lead of the publisher over the slowest worker, in events. Sixteen reports long, so that no side waits for a
 * report; short enough that no queue drops events.
 */
export const windowEvents = 1_024;

/** Milliseconds without progress after which the remaining events count as lost. */
export const stalledAfterMs = 30_000;

/**
 * Nanoseconds of the system's monotonic clock, which all processes of a machine share; Python's `time.monotonic_ns()`.
 */
export function nowNs(): number {
  return Number(process.hrtime.bigint());
}
