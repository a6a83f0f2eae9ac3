export type {
  Agent,
  AgentFactory,
  AgentFactoryContext,
  AgentMetadata,
  AgentState,
  ClassOf,
} from "./agent.ts";
export {
  AgentId,
  AgentType,
  agentTypeText,
  assertAgentType,
  isPortableAgentType,
  isValidAgentType,
} from "./agent-id.ts";
export { AgentProxy } from "./agent-proxy.ts";
export type {
  AgentRuntime,
  PublishOptions,
  RegisterFactoryOptions,
  SendOptions,
  SendOptionsWithAnswer,
} from "./agent-runtime.ts";
export type { AmbientContexts } from "./ambient-contexts.ts";
export { type AgentClass, BaseAgent } from "./base-agent.ts";
export { CancellationToken } from "./cancellation-token.ts";
export type { ChatCompletionClient, Completion, CompletionOptions, ToolSchema } from "./chat-completion-client.ts";
export {
  defaultSubscription,
  type SubscriptionFactory,
  type SubscriptionFactoryContext,
  subscriptionFactory,
  typeSubscription,
} from "./class-subscriptions.ts";
export { type Clock, type MakeId, randomId, systemClock, type Timer, type TimerOptions } from "./clock.ts";
export {
  type Closure,
  ClosureAgent,
  type ClosureAgentOptions,
  type ClosureContext,
  type RegisterClosureOptions,
  type UnknownTypePolicy,
} from "./closure-agent.ts";
export { event, type HandlerDecorator, messageHandler, rpc } from "./decorators.ts";
export { DefaultSubscription } from "./default-subscription.ts";
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
  FunctionCall,
  type FunctionCallFields,
  FunctionExecutionResult,
  type FunctionExecutionResultFields,
  type FunctionExecutionResultInput,
} from "./function-call.ts";
export type { HandledAnswer, HandledMessage, HandlerOptions, MessageTypes, NowOrLater } from "./handler.ts";
export { type HandlerSource, HandlerTable, handlerTable, type TableHandler } from "./handler-table.ts";
export { handles } from "./handles.ts";
export {
  DefaultInterventionHandler,
  DropMessage,
  type InterventionHandler,
  type PublishIntervention,
  type ResponseIntervention,
  type SendIntervention,
} from "./intervention.ts";
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
} from "./llm-messages.ts";
export { defaultLogger, type LogFields, type Logger } from "./logger.ts";
export type { MessageContext } from "./message-context.ts";
export type { DeliveryStage, MessageKind, RuntimeEvent, RuntimeEventSink } from "./message-events.ts";
export type { RegisterInstanceOptions, RegisterOptions } from "./register-agent.ts";
export { RoutedAgent } from "./routed-agent.ts";
export type { RuntimeOptions } from "./runtime-options.ts";
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
export { messageTypeText } from "./serialization/message-type-text.ts";
export { pythonJson } from "./serialization/python-json.ts";
export { UnknownPayload, unknownPayloadMessage } from "./serialization/unknown-payload.ts";
export { voidMessage } from "./serialization/void-message.ts";
export { SingleThreadedAgentRuntime, type SingleThreadedAgentRuntimeOptions } from "./single-threaded-agent-runtime.ts";
export type { Subscription } from "./subscription.ts";
export { defineTool, type Tool, type ToolRunOptions } from "./tool.ts";
export { ToolAgent } from "./tool-agent.ts";
export { type ToolAgentCallerLoopOptions, toolAgentCallerLoop } from "./tool-agent-caller-loop.ts";
export {
  InvalidToolArgumentsException,
  ToolException,
  ToolExecutionException,
  type ToolFailure,
  ToolNotFoundException,
} from "./tool-errors.ts";
export { DefaultTopicId, isValidTopicType, TopicId } from "./topic-id.ts";
export type { SpanDetails, SpanOperation, TraceCarrier, Tracing } from "./tracing.ts";
export { directMessageSubscription, TypePrefixSubscription } from "./type-prefix-subscription.ts";
export { TypeSubscription } from "./type-subscription.ts";
