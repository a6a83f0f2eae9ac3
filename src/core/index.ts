/**
 * Agents, messages, topics, subscriptions, interventions and errors, and the runtime for one process. It needs nothing of Node.
 *
 * @example
 * ```ts
 * import { AgentId, defineMessage, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
 * import { z } from "zod";
 *
 * const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
 * const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });
 *
 * class Greeter extends RoutedAgent {
 *   static override readonly handlers = handlerTable<Greeter>().rpc(AskToGreet, ({ name }) =>
 *     Greeting({ content: `Hello, ${name}!` }),
 *   );
 * }
 *
 * const runtime = new SingleThreadedAgentRuntime();
 * await Greeter.register(runtime, "greeter", () => new Greeter("greets"));
 * runtime.start();
 * const { content } = await runtime.sendMessage(AskToGreet({ name: "Ada" }), new AgentId("greeter", "default"));
 * await runtime.stopWhenIdle();
 * ```
 *
 * @packageDocumentation
 */

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
export { AgentId, AgentType, isPortableAgentType } from "./agents/agent-id.ts";
export type {
  ActivationContext,
  AgentTimerOptions,
  DeactivationReason,
  LifeOptions,
} from "./agents/agent-life.ts";
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
export type {
  HandledAnswer,
  HandledChunk,
  HandledMessage,
  HandlerOptions,
  HandlerResult,
  MessageTypes,
  NowOrLater,
} from "./agents/handler.ts";
export { type HandlerSource, HandlerTable, handlerTable, type TableHandler } from "./agents/handler-table.ts";
export { handles } from "./agents/handles.ts";
export type { MessageContext } from "./agents/message-context.ts";
export { type PersistentAgent, type PersistentAgentClass, persistentAgent } from "./agents/persistent-agent.ts";
export type { RegisterInstanceOptions, RegisterOptions } from "./agents/register-agent.ts";
export { RoutedAgent } from "./agents/routed-agent.ts";
export type { AgentPlacement, SharingOptions, WorkerLabels } from "./agents/sharing.ts";
export type { PrincipalOptions } from "./agents/told-principal.ts";
export type { AgentConcurrency, TurnKind, TurnOptions } from "./agents/turns.ts";
export type { UnfinishedRun } from "./agents/unfinished-run.ts";
export type { AmbientContexts } from "./ambient-contexts.ts";
export { CancellationToken } from "./cancellation-token.ts";
export type { Clock, MakeId, Timer, TimerOptions } from "./clock.ts";
export type {
  CronPatterns,
  Duration,
  MissedTicks,
  ReminderInfo,
  ReminderOptions,
  ReminderTickInfo,
  When,
} from "./courier/reminders/when.ts";
export type { RetryOptions } from "./courier/retry-policy.ts";
export type { ActivationCounters } from "./delivery/activations/activation-counters.ts";
export type { MessageMetadata } from "./delivery/message-metadata.ts";
export {
  CancelledError,
  CantHandleException,
  type ErrorCode,
  HandlerError,
  type HandlerErrorOptions,
  MessageDroppedException,
  NotAccessibleError,
  type RemoteCause,
  type RemoteFailure,
  TimedOutError,
  TroupeError,
  type TroupeErrorOptions,
  type UndeliverableCode,
  UndeliverableException,
  type UndeliverableOptions,
} from "./errors.ts";
export { SingleThreadedAgentRuntime } from "./in-process/single-threaded-agent-runtime.ts";
export type { SingleThreadedAgentRuntimeOptions } from "./in-process/single-threaded-options.ts";
export type { HandlerInterceptor, InterceptedDelivery } from "./interceptor.ts";
export {
  DefaultInterventionHandler,
  DropMessage,
  type InterventionHandler,
  type PublishIntervention,
  type ResponseIntervention,
  type SendIntervention,
} from "./intervention.ts";
export type { LogFields, Logger } from "./logger.ts";
export type { DeliveryStage, MessageKind, MessageLogRecord, MessageLogSink } from "./message-log-records.ts";
export type {
  MetricDetails,
  MetricHistogram,
  MetricKind,
  MetricLabels,
  Metrics,
  MetricTable,
  ReportMetric,
} from "./metrics/metrics.ts";
export type {
  AttachRunOptions,
  ListRunsOptions,
  ReadRunOptions,
  Run,
  RunAnswerOptions,
  RunChunk,
  RunListPage,
  RunOf,
  RunState,
  RunStatus,
  StartRunOptions,
} from "./runs/run.ts";
export type { RunsOptions } from "./runs/runs-options.ts";
export type { RuntimeOptions } from "./runtime-options.ts";
export type { CallingTurn, CallPath, PassingCall } from "./scope/call-path.ts";
export { type CallScope, scopeOf, withScope } from "./scope/call-scope.ts";
export type { Deadline } from "./scope/deadline.ts";
export type { CallGuardOptions, EventGuardOptions, GuardOptions } from "./scope/guards.ts";
export { UnknownPayload, unknownPayloadMessage, voidMessage } from "./serialization/built-in-messages.ts";
export { type ClassMessageOptions, classMessage } from "./serialization/class-message.ts";
export {
  type DefinedMessage,
  type DefinedMessageType,
  type DefineMessageOptions,
  defineMessage,
  type MessageSchema,
} from "./serialization/define-message.ts";
export { type JsonCodec, nativeJson } from "./serialization/json-codec.ts";
export type { JsonSchemaObject } from "./serialization/json-schema.ts";
export {
  type AnswerOf,
  type Answers,
  type Branded,
  type ChunkOf,
  type Chunks,
  jsonContentType,
  type MessageIdentity,
  type MessageOf,
  type MessageType,
  protobufContentType,
  type WholeAnswer,
} from "./serialization/message-type.ts";
export { pythonJson } from "./serialization/python-json.ts";
export type { NotAMessage, Sendable } from "./serialization/sendable.ts";
export {
  type DefineStateOptions,
  defineState,
  type Migration,
  type NotAList,
  type NotAState,
  type SavePolicy,
  type StateDefinition,
  type StateOf,
  type StateSchema,
} from "./state/define-state.ts";
export type { MessageStream } from "./streaming/message-stream.ts";
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
export type { Subscription, SubscriptionOptions } from "./topics/subscription.ts";
export { TypePrefixSubscription, TypeSubscription } from "./topics/subscription.ts";
export { DefaultTopicId, TopicId } from "./topics/topic-id.ts";
export type { HostTracing, OpenSpan, SpanDetails, SpanOperation, TraceCarrier, Tracing } from "./tracing.ts";
export type { WaitOptions } from "./wait-options.ts";
