import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "./agents/agent.ts";
import type { AgentId, AgentType } from "./agents/agent-id.ts";
import type { AmbientContexts } from "./ambient-contexts.ts";
import type { MessageMetadata } from "./delivery/message-metadata.ts";
import type { Logger } from "./logger.ts";
import type { CallScope } from "./scope/call-scope.ts";
import type { AnswerOf, MessageType } from "./serialization/message-type.ts";
import type { Subscription } from "./topics/subscription.ts";
import type { TopicId } from "./topics/topic-id.ts";

export interface SendOptions {
  /** The agent on whose behalf the call is sent. Default: nobody. */
  readonly sender?: AgentId | undefined;
  /**
   * Aborting rejects the call at once with `CancelledError` (code `cancelled`) and aborts its handler, if that is Troupe's; the
   * runtime ignores a late answer. A handler's own signal also limits the call to the time that is left to the handler.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds until the call rejects with `TimedOutError`. A call with no time left is not sent. Default: the runtime's
   * `defaultTimeoutMs`.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * The handler that makes the call, `context.scope`: the call inherits the time that is left to it. Default: the scope of
   * `signal`. Without a signal it is the ambient handler's, where the runtime has ambient contexts.
   */
  readonly scope?: CallScope | undefined;
  /**
   * Text values that the handler finds in `context.metadata`. At most 64 entries and 16 KiB, names and values together. A name
   * is 1 to 64 of the characters a-z, 0-9, `.`, `_` and `-`, with a letter first. Throws `invalid-argument` for anything else
   * and for reserved names: `ag…`, `grpc…`, `traceparent`, `tracestate`, `client-id` and those of CloudEvents (`id`,
   * `source`, `type`, `specversion`, `datacontenttype`, `dataschema`, `subject`, `time`, `data`). Default: none.
   */
  readonly metadata?: MessageMetadata | undefined;
  /** Default: a new id. Over gRPC the wire carries its own request id. */
  readonly messageId?: string | undefined;
}

export interface SendOptionsWithAnswer<Answer> extends SendOptions {
  /** The type the answer must have, where the message's own type does not name one; else `unexpected-answer`. */
  readonly answer: MessageType<Answer>;
}

export interface PublishOptions {
  /** The agent on whose behalf the event is published; it does not get the event. Default: nobody. */
  readonly sender?: AgentId | undefined;
  /** In process the signals of the handlers follow it. Over gRPC aborting ends a wait for room in the send queue. */
  readonly signal?: AbortSignal | undefined;
  /** Text values that the handlers find in `context.metadata`. Bounds and names: as for calls. Default: none. */
  readonly metadata?: MessageMetadata | undefined;
  /** Default: a new id. */
  readonly messageId?: string | undefined;
}

export interface RegisterFactoryOptions<T extends Agent> {
  /** The factory's agents must be of exactly this class or (in process) a subclass; checked at the first instance. */
  readonly expectedClass?: ClassOf<T> | undefined;
}

/** Where agents live: carries messages, makes agents, keeps their state (protocol.md §5.3, §5.8, §5.9). A port: three adapters pass one contract suite. */
export interface AgentRuntime {
  /** Where its agents tell what happens, for people. */
  readonly logger: Logger;
  /** AutoGen's ambient contexts, when the runtime was given any. */
  readonly ambient: AmbientContexts | undefined;

  /** Sends a call and resolves to its answer (undefined when the handler returned nothing). Exactly one outcome. */
  sendMessage<Answer>(message: unknown, recipient: AgentId, options: SendOptionsWithAnswer<Answer>): Promise<Answer>;
  sendMessage<Message>(message: Message, recipient: AgentId, options?: SendOptions): Promise<AnswerOf<Message>>;
  /** Publishes an event; resolves when it is queued, not when it is handled. */
  publishMessage(message: unknown, topicId: TopicId, options?: PublishOptions): Promise<void>;

  /** Throws `already-exists` when the type is taken here or at the host; then nothing is left behind. */
  registerFactory<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    options?: RegisterFactoryOptions<T>,
  ): Promise<AgentType>;
  registerAgentInstance(agent: Agent, id: AgentId): Promise<AgentId>;
  /** The id for a type and key; with `lazy: false` the agent is made now. Default key `default`, lazy. */
  get(idOrType: AgentId | AgentType | string, key?: string, options?: { readonly lazy?: boolean }): Promise<AgentId>;
  /** The agent object itself: `not-found`, `not-accessible` (lives elsewhere) or `wrong-class` otherwise. */
  tryGetUnderlyingAgentInstance<T extends Agent = Agent>(id: AgentId, agentClass?: ClassOf<T>): Promise<T>;

  /** Throws `already-exists` when an equal one is there. */
  addSubscription(subscription: Subscription): Promise<void>;
  /** Throws `not-found` for an unknown id. */
  removeSubscription(id: string): Promise<void>;
  /** One or many; a pair of type name and content type that is known already is replaced. */
  addMessageSerializer(types: MessageType | readonly MessageType[]): void;

  agentMetadata(id: AgentId): Promise<AgentMetadata>;
  agentSaveState(id: AgentId): Promise<AgentState>;
  agentLoadState(id: AgentId, state: AgentState): Promise<void>;
  /** The states of all live agents by `type/key`. */
  saveState(): Promise<AgentState>;
  /** Loads what `saveState` gave; agents of types that are not registered here are passed over. */
  loadState(state: AgentState): Promise<void>;
}
