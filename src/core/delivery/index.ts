export { longestTimerMs } from "../clock.ts";
export { IndexedSet } from "../collections/indexed-set.ts";
export { NamedIndexedSet } from "../collections/named-indexed-set.ts";
export { NumberMap } from "../collections/number-map.ts";
export { InterventionChain } from "../intervention.ts";
export { isThenable } from "../thenable.ts";
export { PatternIndex, type TopicPattern } from "../topics/pattern-index.ts";
export { resolveTopic } from "../topics/resolve-topic.ts";
export { SubscriptionTable } from "../topics/subscription-table.ts";
export { assertAgentId, assertAgentState, assertCall, assertEvent } from "../validation/assert-arguments.ts";
export {
  anyRoom,
  anyTime,
  assertNumbers,
  assertWord,
  type NumberRange,
  type NumberRanges,
  someRoom,
  someTime,
} from "../validation/option-values.ts";
export { AgentCatalog, type AgentCatalogOptions } from "./agent-catalog.ts";
export type { ClassCheck } from "./agent-kind.ts";
export { assertAnswer } from "./assert-answer.ts";
export { boundsOf, type CallBounds, errorBeforeSend, type OwnBounds } from "./call-bounds.ts";
export { type Deadline, deadlineAfter, deadlineOf, remainingMs } from "./deadline.ts";
export { type HandleMessageOptions, handleMessage } from "./handle-message.ts";
export { HandlerContext, type HandlerContextDetails } from "./handler-context.ts";
export { Mailboxes } from "./mailboxes.ts";
export { type LoggedMessage, MessageLog } from "./message-log.ts";
export { payloadText } from "./payload-text.ts";
export { PendingCall } from "./pending-call.ts";
export { PendingCalls } from "./pending-calls.ts";
