/**
 * The store in which a host keeps the states that workers of AutoGen 0.4.0 to 0.4.5 save: the port and the store in memory.
 *
 * @example
 * ```ts
 * import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
 * import { MemoryStateStore } from "troupe/storage";
 *
 * const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { stateStore: new MemoryStateStore() });
 * ```
 *
 * @packageDocumentation
 */

export type { MemoryStateStoreOptions } from "./memory-state-store.ts";
export { MemoryStateStore } from "./memory-state-store.ts";
export type { SaveOutcome, StateStore, StateVersion } from "./state-store.ts";
