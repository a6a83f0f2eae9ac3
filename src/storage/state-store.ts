import type { StoredData, WireAgentId } from "../protocol/internal.ts";

/** A stored state and the tag of this version of it. */
export interface StateVersion {
  /** Never empty, and new with every save. */
  readonly eTag: string;
  /** Undefined: stored without any data. */
  readonly data: StoredData | undefined;
}

/** The outcome of a save. Only `saved` changed anything. */
export type SaveOutcome =
  | { readonly at: "saved"; readonly eTag: string }
  /** Another save came first; `eTag` is the current one. */
  | { readonly at: "conflict"; readonly eTag: string }
  /** A bound of the store is reached; `limit` names it, for people. */
  | { readonly at: "full"; readonly limit: string };

// protocol.md §1.7
/** Keeps the agent states that workers give a host, by agent type and key. */
export interface StateStore {
  /** Loads the state of an agent; undefined if nobody has saved one. */
  load(id: WireAgentId): Promise<StateVersion | undefined>;
  /**
   * Saves when nothing is stored yet, when `eTag` is empty, or when it is the stored one; looking and saving are one step.
   * The store keeps a copy of the data.
   */
  save(id: WireAgentId, data: StoredData | undefined, eTag: string): Promise<SaveOutcome>;
}
