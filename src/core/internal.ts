// What other rooms and tests use of this room. index.ts holds what users use.
export type {
  AgentRuntime,
  GetOptions,
  MessageStreamOptions,
  PublishOptions,
  RegisterAgentInstanceOptions,
  RegisterFactoryOptions,
  SendOptions,
  SendOptionsWithAnswer,
  TellOptions,
} from "./agent-runtime.ts";
export type { Agent, AgentFactory, AgentFactoryContext, AgentMetadata, AgentState, ClassOf } from "./agents/agent.ts";
export {
  AgentId,
  AgentType,
  agentTypeText,
  assertAgentType,
  isPortableAgentType,
  isValidAgentType,
} from "./agents/agent-id.ts";
export type { DeactivationReason } from "./agents/agent-life.ts";
export { BaseAgent } from "./agents/base-agent.ts";
export type { HandledType } from "./agents/handled-messages.ts";
export { handlerTable } from "./agents/handler-table.ts";
export type { MessageContext } from "./agents/message-context.ts";
export { definitionOf, persistentAgent } from "./agents/persistent-agent.ts";
export type { RoutedAgent } from "./agents/routed-agent.ts";
export type { AgentPlacement, SharingTerms, WorkerLabels } from "./agents/sharing.ts";
export { labelsKind, placements, sharingTerms, whyInvalidLabels } from "./agents/sharing.ts";
export type { UnfinishedRun } from "./agents/unfinished-run.ts";
export { stockTextOf, wrongResultText } from "./agents/wrong-result.ts";
export type { AmbientContexts } from "./ambient-contexts.ts";
export {
  type Clock,
  longestTimerMs,
  type MakeId,
  nextTurn,
  randomId,
  realClock,
  sharedTime,
  systemClock,
  type Timer,
  watchingClock,
} from "./clock.ts";
export { ChurnedMap } from "./collections/churned-map.ts";
export { IndexedSet, NamedIndexedSet } from "./collections/indexed-set.ts";
export { NumberMap } from "./collections/number-map.ts";
export { hashOfText } from "./collections/text-hash.ts";
export { brandClass, sharedByCopies } from "./copies.ts";
export { type AgentPost, offerPost } from "./courier/agent-post.ts";
export { Courier, type CourierCounters } from "./courier/courier.ts";
export type { CourierCall, CourierDelivery, CourierOutcome } from "./courier/courier-call.ts";
export type {
  CourierObservers,
  MailOccurrence,
  ReminderOccurrence,
} from "./courier/courier-occurrence.ts";
export { encodeKeptCall } from "./courier/kept-call.ts";
export { eventCommit, eventRefused } from "./courier/kept-events.ts";
export { type CommitListener, type Decided, ObservedStore } from "./courier/observed-store.ts";
export { assertReminderLength, assertReminderName, reminderInfos } from "./courier/reminders/reminder-change.ts";
export { formatRule, type ReminderRule, readStoredRule, ruleOf } from "./courier/reminders/reminder-rule.ts";
export {
  assertReminderOptions,
  type CronPatterns,
  type ReminderInfo,
  type ReminderOptions,
  type ReminderTickInfo,
  type When,
} from "./courier/reminders/when.ts";
export { tickWithdrawn, withdrawsTick } from "./courier/reminders/withdrawn-ticks.ts";
export { type RetryOptions, retryKind } from "./courier/retry-policy.ts";
export type { GivenShard } from "./courier/shards/given-shards.ts";
export {
  type ActivationCounters,
  copyOfCounters,
  createActivationCounters,
} from "./delivery/activations/activation-counters.ts";
export type { ActivationStates, PlacedAgents } from "./delivery/activations/activation-ports.ts";
export type { OwnOutcome, TimerMessage } from "./delivery/activations/activation-timers.ts";
export { AgentCatalog, type AgentCatalogOptions, agentNotFound } from "./delivery/activations/agent-catalog.ts";
export type { CatalogEnd } from "./delivery/activations/catalog-end.ts";
export { movedError } from "./delivery/activations/departures.ts";
export { assertAnswer } from "./delivery/assert-answer.ts";
export {
  abortError,
  assertNotOwn,
  boundsOf,
  type CallBounds,
  errorBeforeSend,
  scopePathOf,
} from "./delivery/calls/call-bounds.ts";
export { DeadlineQueue, deadlineQueueOf, type Expiring, nowhere } from "./delivery/calls/deadline-queue.ts";
export { type Due, DueHeap } from "./delivery/calls/due-heap.ts";
export { answerUndecidedText, PendingCall, timedOutText, undecidedText } from "./delivery/calls/pending-call.ts";
export { PendingCalls } from "./delivery/calls/pending-calls.ts";
export { WaitingHandlers } from "./delivery/calls/waiting-handlers.ts";
export { type DeliveryOwner, Dispatcher } from "./delivery/dispatcher.ts";
export { EventGuard } from "./delivery/event-guard.ts";
export { HandlerContext, keptRunOf } from "./delivery/handler-context.ts";
export type { KeptRunTurn } from "./delivery/kept-run-turn.ts";
export { createLayers, type Delivery, type GiveBackReason, type Layer } from "./delivery/layers.ts";
export { loggableError, loggableText, loggableUpTo, stackText } from "./delivery/loggable.ts";
export { MessageLog, payloadText } from "./delivery/message-log.ts";
export {
  type MessageMetadata,
  noMetadata,
  receivedMetadata,
  withCheckedMetadata,
} from "./delivery/message-metadata.ts";
export { AnswerCodec } from "./delivery/states/kept-answers.ts";
export { keyRefused } from "./delivery/states/remembered-layer.ts";
export { createStateLayers, type StateLayers } from "./delivery/states/state-layers.ts";
export { assertChunk, openStream } from "./delivery/streams/streamed-call.ts";
export { isLeaseMissed, leaseMissed, type TurnLease } from "./delivery/turn-lease.ts";
export { LongWaits, type WaitReports, type WatchedQueue } from "./delivery/turns/long-waits.ts";
export type { TurnSlot } from "./delivery/turns/message-turn.ts";
export { deadlockText, type RingPart, RingWatch, type WaitingCall } from "./delivery/turns/ring-watch.ts";
export { TurnInLine } from "./delivery/turns/turn-in-line.ts";
export { type Turn, TurnQueue } from "./delivery/turns/turn-queue.ts";
export { noTimeLeftError, notServedError } from "./delivery/type-arrivals.ts";
export {
  CancelledError,
  CantHandleException,
  type ErrorCode,
  errorText,
  HandlerError,
  type HandlerErrorOptions,
  MessageDroppedException,
  NotAccessibleError,
  type RemoteCause,
  type RemoteFailure,
  TimedOutError,
  TroupeError,
  type UndeliverableCode,
  UndeliverableException,
} from "./errors.ts";
export { followAbort, joinSignals, unfollowAbort } from "./follow-abort.ts";
export { DropMessage, InterventionChain } from "./intervention.ts";
export { LimitedLog, lineLimits, type RuntimeLog } from "./limited-log.ts";
export { defaultLogger, guardedLogger, type LogFields, type Logger } from "./logger.ts";
export type { MessageLogRecord, MessageLogSink } from "./message-log-records.ts";
export { CappedLabels } from "./metrics/capped-labels.ts";
export {
  counter,
  duration,
  gauge,
  type MetricDetails,
  type MetricHistogram,
  type MetricLabels,
  type Metrics,
  type MetricTable,
  type ReportMetric,
} from "./metrics/metrics.ts";
export { type CountedQueue, QueueAges } from "./metrics/queue-ages.ts";
export { lateMs, readingMs, setPatientTimer } from "./patient-timer.ts";
export { assertNotReserved, reservedMessageType, whyReserved } from "./reserved-names.ts";
export type { EncodedText } from "./runs/encoded-text.ts";
export type {
  AttachRunOptions,
  ListRunsOptions,
  Run,
  RunListPage,
  RunOf,
  RunStatus,
  StartRunOptions,
} from "./runs/run.ts";
export { RunClient } from "./runs/run-client.ts";
export { RunDesk } from "./runs/run-desk.ts";
export { isRunMessage, isRunMessageName } from "./runs/run-messages.ts";
export { runReminder, runReminderName } from "./runs/run-reminder.ts";
export { runBoundsOf } from "./runs/runs-options.ts";
export { decodeChunk, decodeOutcome, decodeStart, encodeOutcome } from "./runs/stored-form.ts";
export { metricsKind, type RuntimeOptions, runtimeKinds } from "./runtime-options.ts";
export { type CallingTurn, type CallPath, nameInPath, noPath, waitingTurns, withoutVia } from "./scope/call-path.ts";
export { type CallScope, scopeOf, withScope } from "./scope/call-scope.ts";
export { depthIn, depthKey, depthMetadata, waitingIn } from "./scope/chain-depth.ts";
export { Deadline, deadlineAfter, remainingMs } from "./scope/deadline.ts";
export { assertWithinGuards, type Guards, guardsOf } from "./scope/guards.ts";
export type { CountedCall } from "./scope/handler-scope.ts";
export { UnknownPayload } from "./serialization/built-in-messages.ts";
export { CodecRegistry, type EncodedMessage } from "./serialization/codec-registry.ts";
export { defineMessage } from "./serialization/define-message.ts";
export { type FieldReader, fieldsSchema } from "./serialization/fields-schema.ts";
export type { JsonSchemaObject } from "./serialization/json-schema.ts";
export { messageTypeText } from "./serialization/message-index.ts";
export {
  type AnswerOf,
  type Answers,
  assertName,
  bareContentType,
  type ChunkOf,
  type Chunks,
  jsonContentType,
  type MessageOf,
  type MessageType,
  protobufContentType,
} from "./serialization/message-type.ts";
export type { Sendable } from "./serialization/sendable.ts";
export { type AgentName, shardCount, shardOf, textOfName } from "./state/agent-name.ts";
export { defineState } from "./state/define-state.ts";
export {
  type DeadLetter,
  type DeadQuery,
  type DeadReason,
  type DurableLog,
  type DurableMessage,
  type KeptMessage,
  type LostReaders,
  type MailReceiver,
  type ShardHold,
  type ShardReader,
  ShardTakenError,
  type TakeOptions,
  takeoversAt,
} from "./state/durable-log.ts";
export type { TurnEffects } from "./state/effects.ts";
export { compareEpochs, type Epoch, formatEpoch, parseEpoch } from "./state/epoch.ts";
export { type FittingStore, fitMail, type MailFit, sortMail, withLeftMail } from "./state/fit-mail.ts";
export { judgeCommit, limitOver, remindersOver, type StoredVersion, withoutMail } from "./state/judge-commit.ts";
export { chunkSize, copyOfRunChange, judgeRuns, type RunRefusal, sizeOfRunChange } from "./state/judge-runs.ts";
export {
  type AppendOutcome,
  type FullMail,
  fullMail,
  fullMailAdvice,
  fullMailboxText,
  fullMailText,
  fullReason,
  isFullMail,
  type MailBoundOptions,
  type MailBounds,
  type MailSizes,
  mailBoundsOf,
  mailboxTooSmall,
  mailLimitText,
  mailShareOf,
  mailSize,
  nameInError,
} from "./state/mail-bounds.ts";
export { fairLevel, letterSize } from "./state/memory/dead-letters.ts";
export { MemoryStateStore, type MemoryStateStoreOptions } from "./state/memory-state-store.ts";
export {
  type AgentRunQuery,
  type KeptCommit,
  type KeptOutcome,
  onlySends,
  type StateKeeper,
} from "./state/state-keeper.ts";
export { slotOf } from "./state/state-slot.ts";
export type {
  Commit,
  CommitOutcome,
  DueQuery,
  Expected,
  LargerState,
  ListedState,
  ListPage,
  ListQuery,
  Mail,
  MailQuery,
  MailSettlement,
  OpenStoreOptions,
  PageQuery,
  RememberedMessage,
  ReminderChange,
  ReminderQuery,
  ReminderTick,
  Settlements,
  ShardQuery,
  StateRecord,
  StateStore,
  StateWrite,
  StoredMail,
  StoredReminder,
  StoreOpening,
  StoreStats,
} from "./state/state-store.ts";
export { StoreError, type StoreErrorCode } from "./state/store-error.ts";
export { StoreKeeper } from "./state/store-keeper.ts";
export { ownReminderPrefix, storeLimits } from "./state/store-limits.ts";
export { type DeadPage, type MailPageQuery, type MailTable, StoreLog } from "./state/store-log.ts";
export { bytesOfListedRun, listPageOf, listReminders, pageOf } from "./state/store-pages.ts";
export type {
  RunChange,
  RunCreation,
  RunList,
  RunName,
  RunPage,
  RunPageQuery,
  RunProgress,
  RunQuery,
  RunState,
  StoredRun,
} from "./state/stored-runs.ts";
export { ChunkReader } from "./streaming/chunk-reader.ts";
export type { ChunkSink } from "./streaming/chunk-sink.ts";
export type { MessageStream } from "./streaming/message-stream.ts";
export { chunkOverheadBytes, defaultWindowBytes, largestWindowBytes, StreamWindow } from "./streaming/stream-window.ts";
export { isThenable } from "./thenable.ts";
export {
  InvalidToolArgumentsException,
  ToolException,
  ToolExecutionException,
  type ToolFailure,
  ToolNotFoundException,
} from "./tools/tool-errors.ts";
export type { Subscription } from "./topics/subscription.ts";
export { noSubscription, subscriptionExists, TypePrefixSubscription, TypeSubscription } from "./topics/subscription.ts";
export { SubscriptionTable } from "./topics/subscription-table.ts";
export { isValidTopicType, resolveTopic, TopicId, topicTypeRule } from "./topics/topic-id.ts";
export type { HostTracing, OpenSpan, SpanDetails, SpanOperation, TraceCarrier, Tracing } from "./tracing.ts";
export {
  agentIdOf,
  assertAgentState,
  assertArgument,
  assertFunction,
  assertObject,
  assertSubscription,
  assertText,
} from "./validation/assert-arguments.ts";
export {
  assertKind,
  assertOptions,
  type OptionKinds,
  type OptionShape,
  optionShape,
  options,
} from "./validation/assert-options.ts";
export {
  assertAgentRequest,
  assertCall,
  assertEvent,
  assertFactoryRegistration,
  assertGetOptions,
  assertInstanceRegistration,
  assertStream,
  assertTold,
  isIdempotencyKey,
} from "./validation/call-options.ts";
export { nearestName } from "./validation/nearest-name.ts";
export {
  agentId,
  anything,
  callable,
  clock,
  fields,
  flag,
  listOf,
  logger,
  messageType,
  milliseconds,
  number,
  type OptionKind,
  signal,
  stateStore,
  text,
  withMethods,
  word,
} from "./validation/option-kinds.ts";
export { anyRoom, anyTime, quoted, someRoom, someTime, wrongValue } from "./validation/option-values.ts";
export {
  assertNotAborted,
  assertWaitOptions,
  untilAborted,
  type WaitOptions,
  waitFor,
} from "./wait-options.ts";
export { withoutStack } from "./without-stack.ts";
