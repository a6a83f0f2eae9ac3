import type { StoredData, WireAgentId } from "../protocol/internal.ts";

/** One entry: what was stored and the tag of this version of it. */
export interface StateVersion {
  /** Never empty, and new with every save. */
  readonly eTag: string;
  /** Undefined: stored without any data. */
  readonly data: StoredData | undefined;
}

/** What became of a save. Only `saved` changed anything. */
export type SaveOutcome =
  | { readonly at: "saved"; readonly eTag: string }
  /** Somebody else has saved since the caller looked; `eTag` is the one that holds now. */
  | { readonly at: "conflict"; readonly eTag: string }
  /** A bound of the store is reached; `limit` says which one, for people. */
  | { readonly at: "full"; readonly limit: string };

/** Where a host keeps the agent states that workers hand to it, by agent type and key (protocol.md §1.7). */
export interface StateStore {
  /** Undefined: nothing was ever saved for this agent. */
  load(id: WireAgentId): Promise<StateVersion | undefined>;
  /**
   * Saves when nothing is stored yet, when `eTag` is empty, or when it is the stored one; looking and saving are one step.
   * The store keeps a copy of the data.
   */
  save(id: WireAgentId, data: StoredData | undefined, eTag: string): Promise<SaveOutcome>;
}
