import type { StoredData, WireAgentId } from "../protocol/internal.ts";

/** One stored state and the tag of this version. */
export interface StateVersion {
  /** Never empty; every save creates a new one. */
  readonly eTag: string;
  /** Undefined: saved without data. */
  readonly data: StoredData | undefined;
}

/** Result of a save. Only `saved` changes the store. */
export type SaveOutcome =
  | { readonly at: "saved"; readonly eTag: string }
  /** The stored state has another eTag, which is given here. Load it, then save again. */
  | { readonly at: "conflict"; readonly eTag: string }
  /** A limit of the store is reached; `limit` names it, for people. */
  | { readonly at: "full"; readonly limit: string };

// protocol.md §1.7
/** Stores the agent states that workers hand to a host, by agent type and key. */
export interface StateStore {
  /** Loads a state; undefined if none was saved for this agent. */
  load(id: WireAgentId): Promise<StateVersion | undefined>;
  /**
   * Saves a state if none is stored, if `eTag` is empty, or if it equals the stored one. Comparing and saving are one
   * step. The store copies the data.
   */
  save(id: WireAgentId, data: StoredData | undefined, eTag: string): Promise<SaveOutcome>;
  /** Forgets the state of an agent. Resolves to false if there was none. */
  delete(id: WireAgentId): Promise<boolean>;
}
