/**
 * The port `CoordinationStore`, on which all hosts of a cluster agree, and a store in memory.
 *
 * @example
 * ```ts
 * import { MemoryCoordinationStore } from "troupe/cluster";
 *
 * await using store = new MemoryCoordinationStore();
 * const outcome = await store.write("cluster.owner", new TextEncoder().encode("first"), 0);
 * if (outcome.at === "written") console.log(`revision ${outcome.revision}`);
 * ```
 *
 * @packageDocumentation
 */

export type {
  CoordinationStore,
  ReadOptions,
  ReadOutcome,
  StoreEntry,
  StoreWatcher,
  WriteOutcome,
} from "./coordination-store.ts";
export {
  assertAnnouncement,
  assertStoreKey,
  assertStorePrefix,
  assertStoreWrite,
  claimKeyPrefix,
  claimLifeMs,
  coordinationLimits,
} from "./coordination-store.ts";
export type { MemoryCoordinationStoreOptions } from "./memory/memory-coordination-store.ts";
export { MemoryCoordinationStore } from "./memory/memory-coordination-store.ts";
