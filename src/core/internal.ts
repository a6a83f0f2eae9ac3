export type {
  AgentRuntime,
  PublishOptions,
  RegisterFactoryOptions,
  SendOptions,
  SendOptionsWithAnswer,
} from "./agent-runtime.ts";
export type {
  Agent,
  AgentFactory,
  AgentFactoryContext,
  AgentMetadata,
  AgentState,
  ClassOf,
} from "./agents/agent.ts";
export {
  AgentId,
  AgentType,
  agentTypeText,
  assertAgentType,
  isPortableAgentType,
  isValidAgentType,
} from "./agents/agent-id.ts";
export { AgentProxy } from "./agents/agent-proxy.ts";
export { type AgentClass, BaseAgent } from "./agents/base-agent.ts";
export {
  defaultSubscription,
  type SubscriptionFactory,
  type SubscriptionFactoryContext,
  subscriptionFactory,
  typeSubscription,
} from "./agents/class-subscriptions.ts";
export {
  type Closure,
  ClosureAgent,
  type ClosureAgentOptions,
  type ClosureContext,
  type RegisterClosureOptions,
  type UnknownTypePolicy,
} from "./agents/closure-agent.ts";
export { event, type HandlerDecorator, messageHandler, rpc } from "./agents/decorators.ts";
export type { HandledAnswer, HandledMessage, HandlerOptions, MessageTypes, NowOrLater } from "./agents/handler.ts";
export { type HandlerSource, HandlerTable, handlerTable, type TableHandler } from "./agents/handler-table.ts";
export { handles } from "./agents/handles.ts";
export type { MessageContext } from "./agents/message-context.ts";
export type { RegisterInstanceOptions, RegisterOptions } from "./agents/register-agent.ts";
export { RoutedAgent } from "./agents/routed-agent.ts";
export type { AmbientContexts } from "./ambient-contexts.ts";
export { CancellationToken } from "./cancellation-token.ts";
export {
  type Clock,
  longestTimerMs,
  type MakeId,
  randomId,
  systemClock,
  type Timer,
  type TimerOptions,
} from "./clock.ts";
export { IndexedSet, NamedIndexedSet } from "./collections/indexed-set.ts";
export { NumberMap } from "./collections/number-map.ts";
export { AgentCatalog, type AgentCatalogOptions } from "./delivery/agent-catalog.ts";
export type { ClassCheck } from "./delivery/agent-kind.ts";
export { assertAnswer } from "./delivery/assert-answer.ts";
export { boundsOf, type CallBounds, errorBeforeSend, type OwnBounds } from "./delivery/call-bounds.ts";
export { type Deadline, deadlineAfter, deadlineOf, remainingMs } from "./delivery/deadline.ts";
export { type HandleMessageOptions, handleMessage } from "./delivery/handle-message.ts";
export { HandlerContext, type HandlerContextDetails } from "./delivery/handler-context.ts";
export { Mailboxes } from "./delivery/mailboxes.ts";
export { type LoggedMessage, MessageLog } from "./delivery/message-log.ts";
export { payloadText } from "./delivery/payload-text.ts";
export { PendingCall } from "./delivery/pending-call.ts";
export { PendingCalls } from "./delivery/pending-calls.ts";
export {
  CancelledError,
  CantHandleException,
  type ErrorCode,
  errorText,
  HandlerError,
  MessageDroppedException,
  NotAccessibleError,
  TimedOutError,
  TroupeError,
  type TroupeErrorOptions,
  type UndeliverableCode,
  UndeliverableException,
} from "./errors.ts";
export {
  SingleThreadedAgentRuntime,
  type SingleThreadedAgentRuntimeOptions,
} from "./in-process/single-threaded-agent-runtime.ts";
export {
  DefaultInterventionHandler,
  DropMessage,
  InterventionChain,
  type InterventionHandler,
  type PublishIntervention,
  type ResponseIntervention,
  type SendIntervention,
} from "./intervention.ts";
export { defaultLogger, type LogFields, type Logger } from "./logger.ts";
export type { DeliveryStage, MessageKind, MessageLogRecord, MessageLogSink } from "./message-log-records.ts";
export type { RuntimeOptions } from "./runtime-options.ts";
export { UnknownPayload, unknownPayloadMessage, voidMessage } from "./serialization/built-in-messages.ts";
export { type ClassMessageOptions, classMessage } from "./serialization/class-message.ts";
export { CodecRegistry, type EncodedMessage } from "./serialization/codec-registry.ts";
export {
  type DefinedMessage,
  type DefinedMessageType,
  type DefineMessageOptions,
  defineMessage,
  type MessageSchema,
} from "./serialization/define-message.ts";
export { type JsonCodec, nativeJson } from "./serialization/json-codec.ts";
export { messageTypeText } from "./serialization/message-index.ts";
export {
  type AnswerOf,
  type Answers,
  type Branded,
  jsonContentType,
  type MessageIdentity,
  type MessageOf,
  type MessageType,
  messageTypeKey,
  protobufContentType,
} from "./serialization/message-type.ts";
export { pythonJson } from "./serialization/python-json.ts";
export { isThenable } from "./thenable.ts";
export {
  FunctionCall,
  type FunctionCallFields,
  FunctionExecutionResult,
  type FunctionExecutionResultFields,
  type FunctionExecutionResultInput,
} from "./tools/function-call.ts";
export {
  AssistantMessage,
  type AssistantMessageFields,
  FunctionExecutionResultMessage,
  type FunctionExecutionResultMessageFields,
  type ImageFields,
  type LLMMessage,
  SystemMessage,
  type SystemMessageFields,
  UserMessage,
  type UserMessageFields,
} from "./tools/llm-messages.ts";
export { defineTool, type Tool, type ToolRunOptions } from "./tools/tool.ts";
export { ToolAgent } from "./tools/tool-agent.ts";
export type {
  ChatCompletionClient,
  Completion,
  CompletionOptions,
  ToolSchema,
} from "./tools/tool-agent-caller-loop.ts";
export { type ToolAgentCallerLoopOptions, toolAgentCallerLoop } from "./tools/tool-agent-caller-loop.ts";
export {
  InvalidToolArgumentsException,
  ToolException,
  ToolExecutionException,
  type ToolFailure,
  ToolNotFoundException,
} from "./tools/tool-errors.ts";
export { DefaultSubscription } from "./topics/default-subscription.ts";
export { PatternIndex, type TopicPattern } from "./topics/pattern-index.ts";
export type { Subscription } from "./topics/subscription.ts";
export { directMessageSubscription, TypePrefixSubscription, TypeSubscription } from "./topics/subscription.ts";
export { SubscriptionTable } from "./topics/subscription-table.ts";
export { DefaultTopicId, isValidTopicType, resolveTopic, TopicId } from "./topics/topic-id.ts";
export type { SpanDetails, SpanOperation, TraceCarrier, Tracing } from "./tracing.ts";
export { assertAgentId, assertAgentState, assertCall, assertEvent } from "./validation/assert-arguments.ts";
export {
  anyRoom,
  anyTime,
  assertNumbers,
  assertWord,
  type NumberRange,
  type NumberRanges,
  someRoom,
  someTime,
} from "./validation/option-values.ts";
