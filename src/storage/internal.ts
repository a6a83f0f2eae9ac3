// What other rooms and tests use of this room. index.ts holds what users use.
export { MemoryStateStore } from "./memory-state-store.ts";
export type { SaveOutcome, StateStore } from "./state-store.ts";
