/** Memory that messages are copied to. */
export interface Run {
  readonly bytes: Buffer;
  /** Who still needs what stands there: the one who copies, and each piece that is not written yet. */
  uses: number;
}

/** Runs of this size are used again; shorter ones belong to streams that have little to say. */
const POOLED_BYTES = 64 * 1024;

/** So many wait to be used again at most: 2 MiB. */
const MOST_WAITING = 32;

const waiting: Run[] = [];

/** Has room for nothing, and is never used again. */
export const NO_RUN: Run = { bytes: Buffer.alloc(0), uses: Number.POSITIVE_INFINITY };

/** A run of at least so many bytes, with one use. What stands in it is of no meaning. */
export function takeRun(bytes: number): Run {
  const run = bytes === POOLED_BYTES ? waiting.pop() : undefined;
  if (run === undefined) return { bytes: Buffer.allocUnsafe(bytes), uses: 1 };
  run.uses = 1;
  return run;
}

/**
 * One use less. The last one gives the run back: a busy stream then copies to the same few runs, and the collector has half as
 * much to look after. A run that is never released, because its stream broke off, is the collector's as ever.
 */
export function releaseRun(run: Run): void {
  run.uses -= 1;
  if (run.uses === 0 && run.bytes.length === POOLED_BYTES && waiting.length < MOST_WAITING) waiting.push(run);
}
