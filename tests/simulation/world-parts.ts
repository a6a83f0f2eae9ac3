import type { Simulation } from "../../src/testing/index.ts";
import type { Gate } from "./around-streams.ts";
import type { Ledger } from "./ledger.ts";
import type { Plan } from "./plan.ts";

/** A bug put in on purpose, to see that the checkers find it. */
export interface Plant {
  /** Stands in the way of each data channel, at the host or at a worker. */
  readonly atHost?: () => Gate;
  readonly atWorker?: () => Gate;
  /** Timers that are cancelled stay. */
  readonly keepsTimers?: boolean;
  /** Agents that should take one message after the other take them as they come. */
  readonly mixesTurns?: boolean;
  /** Workers do not report calls that wait for their turn. */
  readonly hidesRings?: boolean;
  /** Calls that the worker makes beside those it is asked for. */
  readonly ghostCalls?: boolean;
}

/** What the parts of one world share. */
export interface WorldParts {
  readonly plan: Plan;
  readonly simulation: Simulation;
  readonly ledger: Ledger;
  readonly plant: Plant | undefined;
}
