/** A contender of a benchmark: started once, measured in many short rounds, then stopped. */
export interface Contender<Load> {
  readonly name: string;
  /** Reason why it cannot take part on this machine; undefined if it can. */
  readonly absent?: string | undefined;
  /** Returns false for a load that it cannot carry. Default: it carries all. */
  readonly carries?: (load: Load) => boolean;
  /** Starts the processes for these loads. */
  start(loads: readonly Load[]): Promise<void>;
  /** Runs one round under a load. */
  measure(load: Load, seconds: number): Promise<Round>;
  stop(): Promise<void>;
}

/** Figures of one round by name, with the unit in the name (`perSecond`, `p50Us`, `cpuUs host`). */
export type Round = Readonly<Record<string, number>>;
