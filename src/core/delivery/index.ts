export { longestTimerMs } from "../clock.ts";
export { InterventionChain } from "../intervention.ts";
export { isThenable } from "../thenable.ts";
export type { ClassCheck } from "./agent-kind.ts";
export { AgentShelf, type AgentShelfOptions } from "./agent-shelf.ts";
export { assertAnswer } from "./assert-answer.ts";
export { assertAgentId, assertAgentState, assertCall, assertEvent } from "./assert-arguments.ts";
export { Bag } from "./bag.ts";
export { boundsOf, type CallBounds, errorBeforeSend, type OwnBounds } from "./call-bounds.ts";
export { type Deadline, deadlineAfter, deadlineOf, remainingMs } from "./deadline.ts";
export { type HandleMessageOptions, handleMessage } from "./handle-message.ts";
export { HandlerContext, type HandlerContextDetails } from "./handler-context.ts";
export { Mailboxes } from "./mailboxes.ts";
export { type LoggedMessage, MessageLog } from "./message-log.ts";
export { NamedBag } from "./named-bag.ts";
export { NumberMap } from "./number-map.ts";
export {
  anyRoom,
  anyTime,
  assertNumbers,
  assertWord,
  type NumberRange,
  type NumberRanges,
  someRoom,
  someTime,
} from "./option-values.ts";
export { PatternIndex, type TopicPattern } from "./pattern-index.ts";
export { payloadText } from "./payload-text.ts";
export { PendingCall } from "./pending-call.ts";
export { PendingCalls } from "./pending-calls.ts";
export { resolveTopic } from "./resolve-topic.ts";
export { SubscriptionTable } from "./subscription-table.ts";
