/// <reference lib="esnext.disposable" preserve="true" />
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "./agents/agent.ts";
import type { AgentId, AgentType } from "./agents/agent-id.ts";
import type { LifeOptions } from "./agents/agent-life.ts";
import type { SharingOptions } from "./agents/sharing.ts";
import type { PrincipalOptions } from "./agents/told-principal.ts";
import type { TurnOptions } from "./agents/turns.ts";
import type { AmbientContexts } from "./ambient-contexts.ts";
import type { ReminderInfo } from "./courier/reminders/when.ts";
import type { MessageMetadata } from "./delivery/message-metadata.ts";
import type { Logger } from "./logger.ts";
import type { AttachRunOptions, ListRunsOptions, Run, RunListPage, RunOf, StartRunOptions } from "./runs/run.ts";
import type { CallScope } from "./scope/call-scope.ts";
import type { AnswerOf, ChunkOf, MessageType } from "./serialization/message-type.ts";
import type { Sendable } from "./serialization/sendable.ts";
import type { MessageStream } from "./streaming/message-stream.ts";
import type { Subscription } from "./topics/subscription.ts";
import type { TopicId } from "./topics/topic-id.ts";
import type { WaitOptions } from "./wait-options.ts";

/** Options of a call. All are optional. */
export interface SendOptions {
  /** The agent on whose behalf the call is sent. Default: no agent. */
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
   * Milliseconds that the call waits while no worker serves its agent type, for instance because that worker is just starting. Over a host it
   * also waits while only workers of an older program are there, which can't read the agent's state. Then it rejects with
   * `UndeliverableException`, or as `state-too-new`. `timeoutMs` and `signal` bound the whole call, this wait included. AutoGen's own
   * hosts do not say that no handler has seen a call: there it does not wait. Default: it does not wait.
   */
  readonly waitForTarget?: number | undefined;
  /**
   * The handler that makes the call, `context.scope`: the call inherits the time that is left to it. Default: the scope of
   * `signal`. Without a signal it is the ambient handler's, where the runtime has ambient contexts.
   */
  readonly scope?: CallScope | undefined;
  /**
   * Text values that the handler finds in `context.metadata`. At most 64 entries and 16 KiB, names and values together. A name
   * is 1 to 64 of the characters a-z, 0-9, `.`, `_` and `-`, with a letter first. Throws `invalid-argument` for anything else.
   * It also throws for reserved names: `ag…`, `grpc…`, `traceparent`, `tracestate`, `client-id` and those of CloudEvents (`id`,
   * `source`, `type`, `specversion`, `datacontenttype`, `dataschema`, `subject`, `time`, `data`). Default: none.
   */
  readonly metadata?: MessageMetadata | undefined;
  /** Default: a new id. Over gRPC the wire carries its own request id. */
  readonly messageId?: string | undefined;
  /**
   * Names the call for a persistent agent, which keeps its answer with its state. A second call with the same key gets that answer, and
   * no handler runs; while the first one runs, it waits. So you may send a call again whose outcome you do not know. 1 to 256
   * characters. An agent keeps its newest 64 answers for 24 h, each up to 16 KiB. An agent that keeps no state refuses the call
   * (`invalid-argument`). Default: none.
   */
  readonly idempotencyKey?: string | undefined;
}

/** Options of a call that names the type of its answer. */
export interface SendOptionsWithAnswer<Answer> extends SendOptions {
  /** The type the answer must have, where the message's own type does not name one; else `unexpected-answer`. */
  readonly answer: MessageType<Answer>;
}

/** Options of a stream. All are optional. */
export interface MessageStreamOptions extends SendOptions {
  /**
   * Bytes of chunks that may be on their way unread; the last chunk may exceed it. A chunk counts its payload and 64 bytes, in one process 256
   * bytes. From 1 KiB to 1 MiB. Default 64 KiB.
   */
  readonly windowBytes?: number | undefined;
  /**
   * Milliseconds in which no chunk comes and none is read until the stream ends with `TimedOutError`. Default: no such limit. `timeoutMs`
   * bounds the whole stream.
   */
  readonly idleTimeoutMs?: number | undefined;
}

/** Options of a told message. All are optional. */
export interface TellOptions {
  /** The agent on whose behalf the message is told. Default: no agent. */
  readonly sender?: AgentId | undefined;
  /** Text values that the handler finds in `context.metadata`. Bounds and names: as for calls. Default: none. */
  readonly metadata?: MessageMetadata | undefined;
  /**
   * Names the message for its recipient's mailbox: a second one with the same key within 10 minutes is not kept. A persistent agent
   * remembers its newest 64 such keys for 24 h, and handles a message once. 1 to 256 characters. Default: a new one.
   */
  readonly idempotencyKey?: string | undefined;
}

/** Options of an event. All are optional. */
export interface PublishOptions {
  /** The agent on whose behalf the event is published; it does not get the event. Default: no agent. */
  readonly sender?: AgentId | undefined;
  /** In process the signals of the handlers follow it. Over gRPC aborting ends a wait for room in the send queue. */
  readonly signal?: AbortSignal | undefined;
  /** Text values that the handlers find in `context.metadata`. Bounds and names: as for calls. Default: none. */
  readonly metadata?: MessageMetadata | undefined;
  /**
   * Whether an event of a persistent agent leaves at once, also if its turn fails later. Default: false: it leaves when the turn's state
   * is written. Events of other agents always leave at once.
   */
  readonly immediately?: boolean | undefined;
  /**
   * `durable`: the event is kept for each agent with a durable subscription before the promise resolves. It is tried again until the agent
   * has handled it, in the order in which its mailbox got its messages. Other subscribers get it as any event. Rejects with `mailbox-full`
   * if the mailbox of one of these agents is full: nothing is kept then. Default: the event goes to the agents that are there.
   */
  readonly delivery?: "durable" | undefined;
  /**
   * Names a durable event for the mailboxes that keep it: a second one with the same key within 10 minutes is not kept. So you may publish an
   * event again of which you do not know whether it was kept. 1 to 256 characters. Default: a new one.
   */
  readonly idempotencyKey?: string | undefined;
  /** Default: a new id. */
  readonly messageId?: string | undefined;
}

/** Options of `AgentRuntime.registerFactory`. All are optional. */
export interface RegisterFactoryOptions<T extends Agent>
  extends WaitOptions,
    TurnOptions,
    LifeOptions,
    SharingOptions,
    PrincipalOptions {
  /** The factory's agents must be of exactly this class or (in process) a subclass; checked at the first instance. */
  readonly expectedClass?: ClassOf<T> | undefined;
  /** Added together with the type: when one is refused, neither the type nor any of them is registered. Default: none. */
  readonly subscriptions?: readonly Subscription[] | undefined;
  /**
   * For a type that another worker serves. `fail`: the registration rejects with `already-exists` and names that worker. `wait`: the
   * type is registered as soon as it is free; only `signal`, or the end of the runtime, ends the wait. A type that this runtime serves
   * itself always fails. Default: `fail`.
   */
  readonly whenTaken?: "fail" | "wait" | undefined;
}

/** Options of `AgentRuntime.registerAgentInstance`. All are optional. */
export interface RegisterAgentInstanceOptions extends WaitOptions, TurnOptions, PrincipalOptions {
  /**
   * Added together with the instance: when one is refused, neither the instance nor any of them is registered. One that is
   * there already, from another instance of the type, stays as it is. Default: none.
   */
  readonly subscriptions?: readonly Subscription[] | undefined;
}

/** Options of `AgentRuntime.get`. All are optional. */
export interface GetOptions extends WaitOptions {
  /** False: the agent is made now, if it is not live. Default true: it is made for its first message. */
  readonly lazy?: boolean | undefined;
}

/**
 * Where agents live: it carries messages, makes agents and keeps track of them. Two classes implement it:
 * `SingleThreadedAgentRuntime` within one process, `GrpcWorkerAgentRuntime` for a worker process. Disposal ends it:
 * `await using runtime = …`.
 */
export interface AgentRuntime extends AsyncDisposable {
  /** Where the runtime and its agents log, for people. */
  readonly logger: Logger;
  /** AutoGen's ambient contexts, when the runtime was given any. */
  readonly ambient: AmbientContexts | undefined;

  /** Begins to take messages. Rejects with `wrong-state` when it is running. It can be started again after a `stop`. */
  start(options?: WaitOptions): Promise<void>;
  /**
   * Ends taking messages. Rejects with `wrong-state` when it was never started; stopping twice is fine. When the signal aborts,
   * the runtime waits for nothing any more and is stopped at once.
   */
  stop(options?: WaitOptions): Promise<void>;

  /**
   * Sends a call and resolves to its answer (undefined when the handler returned nothing). Each call has exactly one outcome:
   * the answer, or an error. A value without a message type does not compile; one that no worker could send rejects with
   * `invalid-message`.
   */
  sendMessage<Answer, Message = unknown>(
    message: Sendable<Message>,
    recipient: AgentId,
    options: SendOptionsWithAnswer<Answer>,
  ): Promise<Answer>;
  sendMessage<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options?: SendOptions,
  ): Promise<AnswerOf<Message>>;
  /**
   * Sends a call whose answer comes in parts: the chunks that its handler yields, then the answer. The call is sent at once. Read the chunks in
   * a loop: leaving the loop ends the handler. A handler that yields nothing answers without a chunk. Throws `invalid-argument` for wrong
   * arguments; every other error ends the stream.
   *
   * @example
   * ```ts
   * const stream = runtime.stream(AskPoem({ topic: "the sea" }), new AgentId("poet", "default"));
   * for await (const line of stream) console.log(line.text);
   * const poem = await stream.answer;
   * ```
   */
  stream<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options?: MessageStreamOptions,
  ): MessageStream<ChunkOf<Message>, AnswerOf<Message>>;
  /**
   * Starts a run: a stream that the worker of its agent keeps under an id, for any number of readers. Resolves when the run is kept. A second
   * start under the same id with an equal message finds the same run, as long as it is kept. So you may start again after an error. Rejects
   * with `already-exists` if that run began with another message, and with `overloaded` if too many runs have not ended.
   *
   * @example
   * ```ts
   * const run = await runtime.startRun(AskPoem({ topic: "the sea" }), new AgentId("poet", "default"), { id: "poem-42" });
   * for await (const line of run) console.log(line.text);
   * ```
   */
  startRun<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options?: StartRunOptions,
  ): Promise<Run<ChunkOf<Message>, AnswerOf<Message>>>;
  /** Returns a run of an agent, which any process may have started. It sends nothing: the run's methods reject with `not-found` if it is not kept. */
  attachRun<Type extends MessageType>(recipient: AgentId, id: string, options?: AttachRunOptions<Type>): RunOf<Type>;
  /** Resolves to the runs of an agent that are kept, the oldest first. */
  listRuns(recipient: AgentId, options?: ListRunsOptions): Promise<RunListPage>;
  /**
   * Sends a call whose answer no caller awaits. Resolves when the message is kept. The runtime delivers it, and tries it again until it was
   * handled, in the order in which one recipient's messages were kept. If its handler fails 5 times, it becomes a dead letter. In a turn
   * of a persistent agent, `sender`, it is kept together with the state. Rejects with `overloaded` if the mailbox is full, and with
   * `not-accessible` where no messages are kept. A message that can't be sent is refused as by `sendMessage`.
   *
   * @example
   * ```ts
   * await runtime.tell(Reserve({ lines }), new AgentId("stock", "main"));
   * ```
   */
  tell<Message>(message: Sendable<Message>, recipient: AgentId, options?: TellOptions): Promise<void>;
  /**
   * Publishes an event. Resolves when the event is queued, not when it is handled; rejects as `sendMessage` does. With
   * `delivery: "durable"` it resolves when the event is kept; in a turn of a persistent agent, `sender`, the event is kept together with the
   * state.
   */
  publishMessage<Message>(message: Sendable<Message>, topicId: TopicId, options?: PublishOptions): Promise<void>;

  /**
   * Registers an agent type with the factory that makes its agents. Rejects with `already-exists` when the type is taken,
   * here or at the host. A refused registration leaves nothing behind.
   */
  registerFactory<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    options?: RegisterFactoryOptions<T>,
  ): Promise<AgentType>;
  /** Registers one agent under an id. Rejects with `already-exists` when the id or its type is taken. */
  registerAgentInstance(agent: Agent, id: AgentId, options?: RegisterAgentInstanceOptions): Promise<AgentId>;
  /** The id for a type and a key (default `default`). With `lazy: false` the agent is made now. */
  get(idOrType: AgentId | AgentType | string, key?: string, options?: GetOptions): Promise<AgentId>;
  /** The agent object itself: `not-found`, `not-accessible` (lives elsewhere) or `wrong-class` otherwise. */
  tryGetUnderlyingAgentInstance<T extends Agent = Agent>(
    id: AgentId,
    agentClass?: ClassOf<T>,
    options?: WaitOptions,
  ): Promise<T>;

  /**
   * Ends the activation of an agent when its running turns have ended: `onDeactivate`, then `close`. Resolves when that is done, at once
   * if the agent is not live. The next message makes the agent anew. Rejects with `invalid-argument` for an agent that was registered as
   * an instance, and with `not-accessible` for one on another worker that can't be told. A handler
   * may ask for the end of its own activation, and must not await it.
   */
  deactivateAgent(id: AgentId, options?: WaitOptions): Promise<void>;
  /** Does what `deactivateAgent` does, and deletes what is kept of the agent: its state and its reminders. */
  destroyAgent(id: AgentId, options?: WaitOptions): Promise<void>;

  /** Rejects with `already-exists` when an equal one is there. */
  addSubscription(subscription: Subscription, options?: WaitOptions): Promise<void>;
  /** Rejects with `not-found` for an unknown id. */
  removeSubscription(id: string, options?: WaitOptions): Promise<void>;
  /** Makes one or more message types known. A later type with the same name and content type replaces an earlier one. */
  addMessageSerializer(types: MessageType | readonly MessageType[]): void;

  /** Resolves to an agent's metadata. */
  agentMetadata(id: AgentId, options?: WaitOptions): Promise<AgentMetadata>;
  /** Resolves to the reminders of one agent, by name. Rejects with `not-accessible` where no reminders are kept. */
  agentReminders(id: AgentId, options?: WaitOptions): Promise<readonly ReminderInfo[]>;
  /** Resolves to the state of one agent. */
  agentSaveState(id: AgentId, options?: WaitOptions): Promise<AgentState>;
  /** Gives one agent a state that `agentSaveState` returned. */
  agentLoadState(id: AgentId, state: AgentState, options?: WaitOptions): Promise<void>;
  /** The states of all live agents by `type/key`. */
  saveState(options?: WaitOptions): Promise<AgentState>;
  /** Loads what `saveState` gave. Passes over agents of types that are not registered here. */
  loadState(state: AgentState, options?: WaitOptions): Promise<void>;
}
