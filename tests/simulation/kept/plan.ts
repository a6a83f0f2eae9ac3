import type { AgentPlacement } from "../../../src/core/index.ts";

/** A type of persistent agents. Several seats: it is shared. */
export interface PlannedType {
  readonly seats: readonly number[];
  readonly topics: readonly string[];
  readonly placement: AgentPlacement;
  readonly idleAfterMs: number | undefined;
  readonly maxLive: number | undefined;
  /** Turns that may begin before the one that they follow is written. */
  readonly runAhead: number;
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
  /** It repeats at whole seconds: with each that this number divides. `everyMs` says the same in milliseconds. */
  readonly cronSeconds?: number | undefined;
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
  | { readonly do: "crash-at-commit"; readonly seat: number; readonly downMs: number }
  | LeaveFault;

/** What makes a worker's agents leave, or its messages come on two channels. */
export type LeaveFault =
  /** An operator drains the worker at its host. It starts again. */
  | { readonly do: "drain-worker"; readonly seat: number; readonly graceMs: number }
  /** The connection says that it takes no more calls (GOAWAY): the worker opens another one, and the old one goes on until it is empty. */
  | { readonly do: "change-connection"; readonly seat: number }
  /** The worker loses its connection and opens another one. Its host learns of the loss late. */
  | { readonly do: "late-host"; readonly seat: number; readonly lateMs: number };

export const keptFaultKinds = [
  "slow-store",
  "full-store",
  "lost-store",
  "power-loss",
  "second-host",
  "stale-worker",
  "crash-at-commit",
] as const;
/** They are drawn by their own dice. */
export const leaveFaultKinds = ["drain-worker", "change-connection", "late-host"] as const;
export type LeaveFaultKind = (typeof leaveFaultKinds)[number];
export type KeptFaultKind = (typeof keptFaultKinds)[number];
