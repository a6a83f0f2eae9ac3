import type { OptionKinds } from "../validation/assert-options.ts";
import { number } from "../validation/option-kinds.ts";
import { someRoom, someTime } from "../validation/option-values.ts";

/** Bounds of the runs that a runtime keeps in its memory. */
export interface RunsOptions {
  /** Most runs whose handlers have not ended. One caller has at most half of them. A start beyond that rejects with `overloaded`. Default 1 000. */
  readonly maxRunning?: number | undefined;
  /** Most bytes of the chunks of one run. Beyond that its oldest chunks go. Default 1 MiB. */
  readonly maxBytesPerRun?: number | undefined;
  /**
   * Most bytes of all runs. Beyond that the caller whose ended runs and chunks have most loses some: first runs that have ended, the longest ended
   * first. Then the oldest chunks of its largest run go. Default 64 MiB.
   */
  readonly maxBytes?: number | undefined;
  /** Milliseconds for which a run is kept after its end. Default 600 000. */
  readonly keepMs?: number | undefined;
}

export const runsKinds: OptionKinds<RunsOptions> = {
  maxRunning: number(someRoom),
  maxBytesPerRun: number({ from: 1_024 }),
  maxBytes: number({ from: 65_536 }),
  keepMs: number(someTime),
};

/** The bounds of runs, each set. */
export interface RunBounds {
  readonly maxRunning: number;
  readonly maxBytesPerRun: number;
  readonly maxBytes: number;
  readonly keepMs: number;
}

export function runBoundsOf(options: RunsOptions = {}): RunBounds {
  return {
    maxRunning: options.maxRunning ?? 1_000,
    maxBytesPerRun: options.maxBytesPerRun ?? 1024 * 1024,
    maxBytes: options.maxBytes ?? 64 * 1024 * 1024,
    keepMs: options.keepMs ?? 600_000,
  };
}
