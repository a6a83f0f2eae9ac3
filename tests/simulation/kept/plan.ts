import type { AgentPlacement } from "../../../src/core/index.ts";

/** A type of persistent agents. Several seats: it is shared. */
export interface PlannedType {
  readonly seats: readonly number[];
  readonly topics: readonly string[];
  readonly placement: AgentPlacement;
  readonly idleAfterMs: number | undefined;
  readonly maxLive: number | undefined;
}

/** Which persistent agent is called, and how. */
export interface KeptTarget {
  /** Its place in the plan's list of types. */
  readonly type: number;
  /** A handler that only reads is called. */
  readonly reads: boolean;
  /** The caller names a key, and calls again until it has an answer. */
  readonly isRepeated: boolean;
}

/** A told message, and what its handler does. */
export interface PlannedTell {
  readonly type: number;
  readonly key: string;
  /** So many times the handler throws before it ends well. */
  readonly failures: number;
  readonly tells: readonly PlannedTell[];
}

/** A reminder in one of the places of an agent: setting it replaces the one there. */
export interface PlannedReminder {
  readonly place: string;
  readonly afterMs: number;
  /** Undefined: it is due once. Its third tick cancels one that repeats. */
  readonly everyMs: number | undefined;
}

/** What a turn of a persistent agent does beside its calls and events. */
export interface KeptBehaviour {
  /** It saves in the middle. */
  readonly saves: boolean;
  readonly tells: readonly PlannedTell[];
  readonly reminders: readonly PlannedReminder[];
  /** Places whose reminders it cancels. */
  readonly cancels: readonly string[];
  readonly destroys: boolean;
}

export type KeptWork = { readonly do: "tell"; readonly seat: number; readonly tell: PlannedTell } | WorkOnAgent;

/** What is done to one agent. */
export type WorkOnAgent =
  | { readonly do: "deactivate" | "destroy"; readonly seat: number; readonly type: number; readonly key: string }
  /** A client of AutoGen's reads the state and saves it with a line of its own. */
  | { readonly do: "stock-save"; readonly seat: number; readonly type: number; readonly key: string };

export type KeptFault =
  | { readonly do: "slow-store" | "full-store" | "lost-store"; readonly forMs: number }
  /** The host and all workers are killed at one moment. */
  | { readonly do: "power-loss"; readonly downMs: number }
  /** Another host opens the store while the first one lives on. */
  | {
      readonly do: "second-host";
      readonly overlapMs: number;
      readonly ends: "stop" | "kill";
      readonly cuts: readonly number[];
    }
  /** The host loses the worker at once, the worker notices late. */
  | { readonly do: "stale-worker"; readonly seat: number; readonly lateMs: number }
  /** The worker is killed when the store has written for one of its agents, before it knows. */
  | { readonly do: "crash-at-commit"; readonly seat: number; readonly downMs: number };

export const keptFaultKinds = [
  "slow-store",
  "full-store",
  "lost-store",
  "power-loss",
  "second-host",
  "stale-worker",
  "crash-at-commit",
] as const;
export type KeptFaultKind = (typeof keptFaultKinds)[number];
