import type {
  AgentRuntime,
  PublishOptions,
  RegisterFactoryOptions,
  SendOptions,
  SendOptionsWithAnswer,
} from "../agent-runtime.ts";
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "../agents/agent.ts";
import { AgentId, AgentType, agentTypeText } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { type Clock, randomId, systemClock } from "../clock.ts";
import { AgentCatalog } from "../delivery/agent-catalog.ts";
import { boundsOf, type CallBounds, errorBeforeSend } from "../delivery/call-bounds.ts";
import { deadlineAfter } from "../delivery/deadline.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import { Mailboxes } from "../delivery/mailboxes.ts";
import { MessageLog } from "../delivery/message-log.ts";
import { payloadText } from "../delivery/payload-text.ts";
import { PendingCall } from "../delivery/pending-call.ts";
import { UndeliverableException } from "../errors.ts";
import { InterventionChain } from "../intervention.ts";
import { defaultLogger, type Logger } from "../logger.ts";
import type { RuntimeOptions } from "../runtime-options.ts";
import { CodecRegistry } from "../serialization/codec-registry.ts";
import { messageTypeText } from "../serialization/message-index.ts";
import type { AnswerOf, MessageType } from "../serialization/message-type.ts";
import type { Subscription } from "../topics/subscription.ts";
import { SubscriptionTable } from "../topics/subscription-table.ts";
import { resolveTopic, type TopicId } from "../topics/topic-id.ts";
import type { Tracing } from "../tracing.ts";
import { assertAgentState, assertCall, assertEvent } from "../validation/assert-arguments.ts";
import { anyTime, assertNumbers, type NumberRanges } from "../validation/option-values.ts";
import { Dispatcher } from "./dispatcher.ts";
import { MessagePump } from "./message-pump.ts";

export interface SingleThreadedAgentRuntimeOptions extends RuntimeOptions {
  /**
   * Default true: an event's handler that throws is logged and that is all. False: the next `processNext`, `stop`,
   * `stopWhenIdle` or `stopWhen` throws what it threw, and nothing more is processed.
   */
  readonly ignoreUnhandledExceptions?: boolean | undefined;
  /** How long disposal lets handlers finish before it stops. Default 5000. */
  readonly drainTimeoutMs?: number | undefined;
}

const numberRanges: NumberRanges<SingleThreadedAgentRuntimeOptions> = {
  drainTimeoutMs: anyTime,
  // A call waits for ever with Infinity; with 0 none would ever be sent.
  defaultTimeoutMs: { from: 1 },
};

/**
 * The runtime within one process: one queue, taken from in order; handlers run concurrently (protocol.md §5.8). Calls and
 * events wait in the queue until `start`. Messages are handed over as they are, nothing is serialized.
 */
export class SingleThreadedAgentRuntime implements AgentRuntime {
  readonly logger: Logger;
  readonly ambient: AmbientContexts | undefined;
  readonly #catalog: AgentCatalog;
  readonly #subscriptions = new SubscriptionTable();
  readonly #codecs = new CodecRegistry();
  readonly #pump: MessagePump;
  readonly #log: MessageLog | undefined;
  readonly #tracing: Tracing | undefined;
  readonly #clock: Clock;
  readonly #makeId: () => string;
  readonly #defaultTimeoutMs: number | undefined;
  readonly #drainTimeoutMs: number;

  /** Throws `invalid-argument` for numbers that can't be meant. */
  constructor(options: SingleThreadedAgentRuntimeOptions = {}) {
    assertNumbers(options, numberRanges);
    const { logger = defaultLogger, ambient, tracing, messageLog, clock = systemClock } = options;
    this.logger = logger;
    this.ambient = ambient;
    this.#tracing = tracing;
    this.#clock = clock;
    this.#makeId = options.makeId ?? randomId;
    this.#defaultTimeoutMs = options.defaultTimeoutMs;
    this.#drainTimeoutMs = options.drainTimeoutMs ?? 5000;
    const toText = (message: unknown) => payloadText(message, this.#codecs);
    this.#log = messageLog === undefined ? undefined : new MessageLog(messageLog, toText);
    const onTypeGone = (type: string) => this.#subscriptions.removeType(type);
    this.#catalog = new AgentCatalog({ runtime: this, ambient, messageLog, logger, onTypeGone });
    const dispatcher = new Dispatcher({
      catalog: this.#catalog,
      subscriptions: this.#subscriptions,
      interventions: new InterventionChain(options.interventionHandlers, { tracing, logger }),
      logger,
      log: this.#log,
      tracing,
      payloadText: toText,
      ambient,
      mailboxes: options.sequentialAgents === true ? new Mailboxes() : undefined,
      onEventFailure: (error) => {
        if (options.ignoreUnhandledExceptions === false) this.#pump.fail(error);
      },
    });
    this.#pump = new MessagePump(dispatcher, clock);
  }

  /** How many calls, events and answers wait to be taken from the queue. */
  get unprocessedMessagesCount(): number {
    return this.#pump.waiting;
  }

  /** Begins to process. Throws `wrong-state` when it is running. */
  start(): void {
    this.#pump.start();
  }

  /**
   * Ends processing at once: calls that wait in the queue reject with `UndeliverableException`, events that wait are
   * dropped, handlers that run may finish. Throws `wrong-state` when not running. It can be started again.
   */
  stop(): Promise<void> {
    return this.#pump.stop();
  }

  /** Stops when everything has been handled, whatever came up meanwhile included. */
  stopWhenIdle(): Promise<void> {
    return this.#pump.stopWhenIdle();
  }

  /** Stops when `condition` holds: asked after messages have been handled, and every 100 ms. */
  stopWhen(condition: () => boolean): Promise<void> {
    return this.#pump.stopWhen(condition);
  }

  /** Takes one from the queue, waiting for it if need be, and resolves when it is on its way. For stepping without `start`. */
  processNext(): Promise<void> {
    return this.#pump.processNext();
  }

  /**
   * Stops if running, ends what waits and what runs, then closes every live agent. Twice is fine; `start` may follow, without
   * the agents that were registered as instances, and without their subscriptions.
   */
  async close(): Promise<void> {
    try {
      await this.#pump.close();
    } finally {
      await this.#catalog.close();
    }
  }

  /** Lets everything in the queue be handled, for at most `drainTimeoutMs`, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#pump.drain(this.#drainTimeoutMs);
    } finally {
      await this.close();
    }
  }

  sendMessage<Answer>(message: unknown, recipient: AgentId, options: SendOptionsWithAnswer<Answer>): Promise<Answer>;
  sendMessage<Message>(message: Message, recipient: AgentId, options?: SendOptions): Promise<AnswerOf<Message>>;
  sendMessage(
    message: unknown,
    recipient: AgentId,
    options: SendOptions & Partial<SendOptionsWithAnswer<unknown>> = {},
  ): Promise<unknown> {
    try {
      assertCall(recipient, options);
    } catch (error) {
      return Promise.reject(error);
    }
    const { sender } = options;
    this.#log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message, sender, receiver: recipient });
    if (this.#tracing === undefined) return this.#send(message, recipient, options);
    const details = { destination: recipient, messageType: messageTypeText(message) };
    return this.#tracing.span("create", details, () => this.#send(message, recipient, options));
  }

  async publishMessage(message: unknown, topicId: TopicId, options: PublishOptions = {}): Promise<void> {
    assertEvent(topicId, options);
    const topic = resolveTopic(topicId, options.sender, this.ambient);
    if (this.#tracing === undefined) {
      this.#publish(message, topic, options);
      return;
    }
    const details = { destination: topic, messageType: messageTypeText(message) };
    this.#tracing.span("create", details, () => this.#publish(message, topic, options));
  }

  async registerFactory<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    options?: RegisterFactoryOptions<T>,
  ): Promise<AgentType> {
    const text = agentTypeText(type);
    this.#catalog.addFactory(text, factory, options);
    return new AgentType(text);
  }

  async registerAgentInstance(agent: Agent, id: AgentId): Promise<AgentId> {
    await this.#catalog.addInstance(agent, id);
    return id;
  }

  async get(
    idOrType: AgentId | AgentType | string,
    key = "default",
    options: { readonly lazy?: boolean } = {},
  ): Promise<AgentId> {
    const id = idOrType instanceof AgentId ? idOrType : new AgentId(idOrType, key);
    if (options.lazy === false) await this.#catalog.agentFor(id);
    return id;
  }

  tryGetUnderlyingAgentInstance<T extends Agent = Agent>(id: AgentId, agentClass?: ClassOf<T>): Promise<T> {
    return this.#catalog.instance(id, agentClass);
  }

  async addSubscription(subscription: Subscription): Promise<void> {
    this.#subscriptions.add(subscription);
  }

  async removeSubscription(id: string): Promise<void> {
    this.#subscriptions.remove(id);
  }

  addMessageSerializer(types: MessageType | readonly MessageType[]): void {
    this.#codecs.add(types);
  }

  agentMetadata(id: AgentId): Promise<AgentMetadata> {
    return this.#catalog.metadata(id);
  }

  agentSaveState(id: AgentId): Promise<AgentState> {
    return this.#catalog.saveState(id);
  }

  async agentLoadState(id: AgentId, state: AgentState): Promise<void> {
    assertAgentState(state);
    return this.#catalog.loadState(id, state);
  }

  saveState(): Promise<AgentState> {
    return this.#catalog.saveAll();
  }

  async loadState(state: AgentState): Promise<void> {
    assertAgentState(state);
    return this.#catalog.loadAll(state);
  }

  #send(message: unknown, recipient: AgentId, options: Partial<SendOptionsWithAnswer<unknown>>): Promise<unknown> {
    const { sender, messageId = this.#makeId } = options;
    const bounds = boundsOf(options, { defaultTimeoutMs: this.#defaultTimeoutMs, ambient: this.ambient });
    const { signal, timeoutMs } = bounds;
    const isBounded = signal !== undefined || timeoutMs !== undefined;
    const tooLate = isBounded ? errorBeforeSend(bounds, recipient) : undefined;
    if (tooLate !== undefined) return Promise.reject(tooLate);
    if (!this.#catalog.hasType(recipient.type)) {
      const hint = `no agent type ${recipient.type} is registered in this runtime.`;
      return Promise.reject(new UndeliverableException(`Recipient not found: ${hint}`));
    }
    const deadline = deadlineAfter(timeoutMs, this.#clock);
    const details = { sender, topicId: undefined, isRpc: true, messageId, deadline, isDeadlineWatched: true };
    const context = new HandlerContext(details);
    const call = new PendingCall<unknown>(
      isBounded ? this.#abortingHandler({ signal, timeoutMs, recipient }, context) : undefined,
    );
    const promised = options.answer ?? this.#codecs.typeOf(message)?.answer;
    const link = this.#tracing?.inject();
    this.#pump.push({ kind: "send", message, recipient, context, call, promised, link, slot: 0 });
    return call.promise;
  }

  /** When the caller gives up, the handler's signal aborts. */
  #abortingHandler(bounds: CallBounds, context: HandlerContext): CallBounds {
    return { ...bounds, clock: this.#clock, onGivenUp: (error) => context.abort(error) };
  }

  #publish(message: unknown, topicId: TopicId, options: PublishOptions): void {
    const { sender, signal, messageId = this.#makeId() } = options;
    this.#log?.message("MessageKind.PUBLISH", "DeliveryStage.SEND", { message, sender, receiver: topicId });
    const link = this.#tracing?.inject();
    this.#pump.push({ kind: "publish", message, topicId, sender, messageId, signal, link });
  }
}
