/** One of the things a benchmark compares. Started once, then measured in many short rounds, then stopped. */
export interface Contender<Load> {
  readonly name: string;
  /** Why it can't take part on this machine; undefined when it can. */
  readonly absent?: string | undefined;
  /** False: it can't carry this load. Default: it carries all. */
  readonly carries?: (load: Load) => boolean;
  /** Starts what these loads need. */
  start(loads: readonly Load[]): Promise<void>;
  /** One round under this load. */
  measure(load: Load, seconds: number): Promise<Round>;
  stop(): Promise<void>;
}

/** What one round gave: figures by name, with the unit in the name (`perSecond`, `p50Us`, `cpuUs host`). */
export type Round = Readonly<Record<string, number>>;
