export type { MemoryStateStoreOptions } from "./memory-state-store.ts";
export { MemoryStateStore } from "./memory-state-store.ts";
export type { SaveOutcome, StateStore, StateVersion } from "./state-store.ts";
