import type { Latencies } from "./latencies.ts";

/** One of the things a benchmark compares. Started once, then measured in many short rounds, then stopped. */
export interface Contender<Load> {
  readonly name: string;
  /** Why it can't take part on this machine; undefined when it can. */
  readonly absent?: string | undefined;
  start(): Promise<void>;
  /** One round under this load. */
  measure(load: Load, seconds: number): Promise<Round>;
  stop(): Promise<void>;
}

/** What one round gave. */
export interface Round extends Latencies {
  readonly perSecond: number;
}
