/**
 * Stores of agents' states: the port `StateStore`, and the store in memory. `troupe/storage/sqlite` has one that outlives the process.
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

export type {
  AgentName,
  AppendOutcome,
  Commit,
  CommitOutcome,
  DeadLetter,
  DeadQuery,
  DeadReason,
  DueQuery,
  DurableLog,
  DurableMessage,
  Epoch,
  Expected,
  FullMail,
  KeptMessage,
  LargerState,
  ListedState,
  ListPage,
  ListQuery,
  LostReaders,
  Mail,
  MailBoundOptions,
  MailQuery,
  MailReceiver,
  MailSettlement,
  MemoryStateStoreOptions,
  OpenStoreOptions,
  PageQuery,
  RememberedMessage,
  ReminderChange,
  ReminderQuery,
  ReminderTick,
  RunChange,
  RunCreation,
  RunList,
  RunName,
  RunPage,
  RunPageQuery,
  RunProgress,
  RunQuery,
  RunState,
  Settlements,
  ShardHold,
  ShardQuery,
  ShardReader,
  StateRecord,
  StateStore,
  StateWrite,
  StoredMail,
  StoredReminder,
  StoredRun,
  StoreErrorCode,
  StoreOpening,
  StoreStats,
  TakeOptions,
} from "../core/internal.ts";
export {
  compareEpochs,
  MemoryStateStore,
  StoreError,
  shardOf,
  storeLimits,
} from "../core/internal.ts";
