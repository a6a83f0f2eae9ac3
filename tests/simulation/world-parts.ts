import type { StateStore } from "../../src/core/internal.ts";
import type { Simulation } from "../../src/testing/index.ts";
import type { Gate } from "./around-streams.ts";
import type { KeptAgent } from "./kept/kept-agent.ts";
import type { Ledger } from "./ledger.ts";
import type { Plan } from "./plan.ts";

/** A bug put in on purpose, to see that the checkers find it. */
export interface Plant {
  /** Stands in the way of each data channel, at the host or at a worker. */
  readonly atHost?: () => Gate;
  readonly atWorker?: () => Gate;
  /** Stands in the way of each stream of states, at a worker. */
  readonly atStates?: () => Gate;
  /** What workers say on their data channels reaches the host so many milliseconds late, but not what they say on other streams. */
  readonly channelsLateMs?: number;
  /** Timers that are cancelled stay. */
  readonly keepsTimers?: boolean;
  /** Agents that should take one message after the other take them as they come. */
  readonly mixesTurns?: boolean;
  /** Workers do not report calls that wait for their turn. */
  readonly hidesRings?: boolean;
  /** Stands in the way between a host and its store. */
  readonly aroundStore?: (store: StateStore) => StateStore;
  /** The class of persistent agents, in place of `KeptAgent`. */
  readonly keptClass?: typeof KeptAgent;
  /** The factory gives back the agents that it has made before. */
  readonly reusesAgents?: boolean;
  /** Types are registered without their idle time and their cap. */
  readonly keepsAll?: boolean;
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
