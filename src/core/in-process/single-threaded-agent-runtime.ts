// Over 400 lines: every method of the AgentRuntime port with its overloads and comments; the work is done in the files beside it.
import type {
  AgentRuntime,
  GetOptions,
  PublishOptions,
  RegisterAgentInstanceOptions,
  RegisterFactoryOptions,
  SendOptions,
  SendOptionsWithAnswer,
  TellOptions,
} from "../agent-runtime.ts";
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "../agents/agent.ts";
import { type AgentId, AgentType, agentTypeText } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { type Clock, randomId, systemClock } from "../clock.ts";
import { offerPost } from "../courier/agent-post.ts";
import { type RetryOptions, retryKind } from "../courier/retry-policy.ts";
import type { CronPatterns, ReminderInfo } from "../courier/when.ts";
import {
  type ActivationCounters,
  copyOfCounters,
  createActivationCounters,
} from "../delivery/activations/activation-counters.ts";
import type { TimerMessage } from "../delivery/activations/activation-timers.ts";
import { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import {
  assertNotOwn,
  boundsOf,
  errorBeforeSend,
  type RuntimeBounds,
  scopePathOf,
} from "../delivery/calls/call-bounds.ts";
import { Dispatcher } from "../delivery/dispatcher.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import { createLayers, type Delivery } from "../delivery/layers.ts";
import { MessageLog, payloadText } from "../delivery/message-log.ts";
import { withCheckedMetadata } from "../delivery/message-metadata.ts";
import { AnswerCodec } from "../delivery/states/kept-answers.ts";
import { keyRefused } from "../delivery/states/remembered-layer.ts";
import { createStateLayers } from "../delivery/states/state-layers.ts";
import { LongWaits } from "../delivery/turns/long-waits.ts";
import { type TargetWait, TypeArrivals } from "../delivery/type-arrivals.ts";
import { errorText, MessageDroppedException, UndeliverableException } from "../errors.ts";
import { DropMessage, InterventionChain } from "../intervention.ts";
import { LimitedLog } from "../limited-log.ts";
import { defaultLogger, guardedLogger, type Logger } from "../logger.ts";
import { type RuntimeOptions, runtimeKinds } from "../runtime-options.ts";
import { deadlineAfter } from "../scope/deadline.ts";
import { assertWithinGuards, type Guards, guardsOf } from "../scope/guards.ts";
import { CodecRegistry } from "../serialization/codec-registry.ts";
import { messageTypeText } from "../serialization/message-index.ts";
import type { AnswerOf, MessageType } from "../serialization/message-type.ts";
import type { Sendable } from "../serialization/sendable.ts";
import type { StateKeeper } from "../state/state-keeper.ts";
import type { StateStore } from "../state/state-store.ts";
import { StoreKeeper } from "../state/store-keeper.ts";
import type { Subscription } from "../topics/subscription.ts";
import { SubscriptionTable } from "../topics/subscription-table.ts";
import { resolveTopic, type TopicId } from "../topics/topic-id.ts";
import type { Tracing } from "../tracing.ts";
import {
  agentIdOf,
  assertAgentState,
  assertFunction,
  assertSubscription,
  assertText,
} from "../validation/assert-arguments.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import {
  assertAgentRequest,
  assertCall,
  assertEvent,
  assertFactoryRegistration,
  assertGetOptions,
  assertInstanceRegistration,
  assertTold,
} from "../validation/call-options.ts";
import { flag, number, stateStore, withMethods } from "../validation/option-kinds.ts";
import { anyTime, someTime } from "../validation/option-values.ts";
import { assertNotAborted, assertWaitOptions, untilAborted, type WaitOptions, waitFor } from "../wait-options.ts";
import { closeAgents } from "./close-agents.ts";
import { LocalCall, type PublishEnvelope, type SendEnvelope } from "./envelope.ts";
import { EnvelopeRouter } from "./envelope-router.ts";
import { deliverKept } from "./kept-delivery.ts";
import { KeptMessages } from "./kept-messages.ts";
import { MessagePump } from "./message-pump.ts";
import { createRingReports } from "./ring-reports.ts";

/** Options of `SingleThreadedAgentRuntime`. All are optional. */
export interface SingleThreadedAgentRuntimeOptions extends RuntimeOptions {
  /**
   * Whether the runtime only logs the failure of an event's handler. Default: true. False: the next `processNext`, `stop`,
   * `stopWhenIdle` or `stopWhen` rejects with the error, and the runtime processes no more messages.
   */
  readonly ignoreUnhandledExceptions?: boolean | undefined;
  /**
   * Whether the runtime refuses calls, events and answers that a worker could not send, with `invalid-message`: plain values,
   * undeclared objects, message types, promises. It checks only the type of a message, not its fields. Default: true. False: it
   * delivers every value.
   */
  readonly checksMessages?: boolean | undefined;
  /**
   * Milliseconds that disposal gives handlers to finish before it stops. `close` and disposal give agents the same time to close,
   * but at least 5 000. Default: 5 000.
   */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * Store of the states of persistent agents, of reminders and of told messages. The runtime opens it when it starts; you close it.
   * Default: a `MemoryStateStore`, which lives as long as the runtime object.
   */
  readonly stateStore?: StateStore | undefined;
  /** Reads the cron patterns of reminders: `cronPatterns` of `troupe/cron`. Default: reminders can't have any. */
  readonly cron?: CronPatterns | undefined;
  /** Policy for told messages and reminders whose handler fails. */
  readonly retry?: RetryOptions | undefined;
  /** Milliseconds that the handler of a told message or of a reminder may take. Default: 300 000. */
  readonly handlerTimeoutMs?: number | undefined;
}

const optionsShape = optionShape<SingleThreadedAgentRuntimeOptions>({
  ...runtimeKinds,
  ignoreUnhandledExceptions: flag,
  checksMessages: flag,
  drainTimeoutMs: number(anyTime),
  stateStore,
  cron: withMethods("the cronPatterns of troupe/cron", "next"),
  retry: retryKind,
  handlerTimeoutMs: number(someTime),
});

const noOptions: SendOptions & Partial<SendOptionsWithAnswer<unknown>> = Object.freeze({});

const stopText = "The stop of the runtime";

/**
 * The runtime within one process. It takes messages from one queue in order and lets their handlers interleave. Calls and
 * events wait in the queue until `start`. Nothing is serialized: a handler gets the very object that was sent.
 */
export class SingleThreadedAgentRuntime implements AgentRuntime {
  readonly logger: Logger;
  readonly ambient: AmbientContexts | undefined;
  readonly #catalog: AgentCatalog;
  readonly #subscriptions = new SubscriptionTable();
  readonly #codecs = new CodecRegistry();
  readonly #pump: MessagePump;
  readonly #arrivals: TypeArrivals;
  readonly #log: MessageLog | undefined;
  readonly #tracing: Tracing | undefined;
  readonly #clock: Clock;
  readonly #makeId: () => string;
  readonly #bounds: RuntimeBounds;
  readonly #guards: Guards;
  readonly #drainTimeoutMs: number;
  readonly #closeTimeoutMs: number;
  readonly #limitedLog: LimitedLog;
  readonly #activationCounts = createActivationCounters();
  #droppedEvents = 0;
  #stateKeeper: StateKeeper<PublishEnvelope> | undefined;
  readonly #interventions: InterventionChain;
  readonly #kept: KeptMessages;
  readonly #checksMessages: boolean;
  /** Interventions may replace a call's message: it is checked after them. */
  readonly #checksCallsFirst: boolean;

  /** Throws `invalid-argument` for unknown options, and for values of a wrong kind. */
  constructor(options: SingleThreadedAgentRuntimeOptions = {}) {
    assertOptions(options, optionsShape, "SingleThreadedAgentRuntime");
    const { ambient, tracing, messageLog, sequentialAgents, clock = systemClock } = options;
    this.logger = guardedLogger(options.logger ?? defaultLogger);
    const logger = new LimitedLog(this.logger, clock);
    this.#limitedLog = logger;
    this.ambient = ambient;
    this.#tracing = tracing;
    this.#clock = clock;
    this.#arrivals = new TypeArrivals(clock);
    this.#makeId = options.makeId ?? randomId;
    this.#bounds = { defaultTimeoutMs: options.defaultTimeoutMs, ambient };
    this.#guards = guardsOf(options.guards);
    this.#drainTimeoutMs = options.drainTimeoutMs ?? 5000;
    this.#closeTimeoutMs = Math.max(this.#drainTimeoutMs, 5000);
    this.#checksMessages = options.checksMessages ?? true;
    const interventions = new InterventionChain(options.interventionHandlers, { tracing, logger });
    this.#interventions = interventions;
    this.#checksCallsFirst = this.#checksMessages && !interventions.seesSend;
    const toText = (message: unknown) => payloadText(message, this.#codecs);
    this.#log = messageLog === undefined ? undefined : new MessageLog(messageLog, toText);
    const onTypeGone = (type: string) => this.#subscriptions.removeType(type);
    const { stuckAfterMs: afterMs = 1_000 } = options;
    const longWaits = afterMs === 0 ? undefined : new LongWaits({ clock, afterMs, reports: createRingReports() });
    const {
      states,
      commitLayer,
      layers: stateLayers,
    } = createStateLayers<PublishEnvelope>({
      keeper: () => this.#keeper(),
      isSequential: (type) => this.#catalog.turnsOf(type) !== undefined,
      forget: (id, agent, reason) => this.#catalog.forget(id, agent, reason),
      codec: new AnswerCodec(this.#codecs),
      assertSendable: (delivery, answer) => this.#assertSendable(delivery, answer),
    });
    const { maxLiveAgents, deactivationTimeoutMs } = options;
    this.#catalog = new AgentCatalog({
      ...{ runtime: this, ambient, messageLog, logger, onTypeGone, sequentialAgents, longWaits },
      ...{ states, commitLayer, clock, maxLiveAgents, deactivationTimeoutMs },
      counts: this.#activationCounts,
      contextsAt: (id) => router.contextsAt(id),
      deliverTimer: (timer) => this.#deliverTimer(timer),
    });
    const log = this.#log;
    const layers = createLayers(options);
    const router = new EnvelopeRouter({
      dispatcher: new Dispatcher({ catalog: this.#catalog, logger, log, tracing, layers, stateLayers }),
      catalog: this.#catalog,
      subscriptions: this.#subscriptions,
      interventions,
      refusalOf: this.#checksMessages ? (message) => this.#codecs.refusalOf(message) : undefined,
      refusalOfAnswer: this.#checksMessages
        ? (answer, promised) => this.#codecs.refusalOfAnswer(answer, promised)
        : undefined,
      logger,
      log,
      tracing,
      payloadText: toText,
      onEventFailure: (error) => {
        if (options.ignoreUnhandledExceptions === false) this.#pump.fail(error);
      },
      onEventDropped: () => {
        this.#droppedEvents += 1;
      },
    });
    this.#pump = new MessagePump(router, clock, logger);
    const handlerTimeoutMs = options.handlerTimeoutMs ?? 300_000;
    this.#kept = new KeptMessages({
      ...{ store: options.stateStore, clock, logger, makeId: this.#makeId, codecs: this.#codecs },
      ...{ cron: options.cron, retry: options.retry },
      effectsOf: (agent) => this.#catalog.effectsOf(agent),
      deliver: (delivery) =>
        deliverKept(delivery, {
          ...{ runtime: this, catalog: this.#catalog, clock, handlerTimeoutMs },
          pump: this.#pump,
        }),
      hold: () => this.#pump.hold(),
    });
    offerPost(this, this.#kept);
  }

  /** The number of calls, events and answers that wait in the queue. */
  get unprocessedMessagesCount(): number {
    return this.#pump.waiting;
  }

  /** The number of events that were dropped because too many messages waited for a turn at their agent (`maxQueuedPerAgent`). */
  get droppedEventsCount(): number {
    return this.#droppedEvents;
  }

  /** Returns a copy of the counts of activations: agents that became live, and those that were deactivated, since the runtime's creation. */
  counters(): ActivationCounters {
    return copyOfCounters(this.#activationCounts);
  }

  /**
   * Begins to process before it returns, so you need not await the promise. Rejects with `wrong-state` when it is running.
   *
   * @example
   * ```ts
   * const runtime = new SingleThreadedAgentRuntime();
   * await runtime.start();
   * ```
   */
  async start(options: WaitOptions = {}): Promise<void> {
    assertWaitOptions(options, "start");
    assertNotAborted(options, "The start of the runtime");
    this.#pump.start();
    this.#kept.start();
  }

  /**
   * Ends processing at once: calls that wait in the queue reject with `UndeliverableException`, events that wait are
   * dropped. Handlers that run continue, and their callers still get the answers. The runtime warns after a second which calls have
   * none yet; `close` ends those. It waits for nothing that a signal could end. Rejects with `wrong-state` when it was never
   * started; stopping twice is fine. It can be started again.
   */
  async stop(options?: WaitOptions): Promise<void> {
    assertWaitOptions(options, "stop");
    this.#kept.stop();
    return this.#pump.stop();
  }

  /**
   * Stops when all messages are handled, also those that handlers send meanwhile. Rejects with `wrong-state` when not running.
   * Aborting the signal ends the wait, and the runtime continues. After a second, and every 30 s after that, the log says which
   * handlers it waits for. The wait keeps the process alive until the first line only. After that, a process that only awaits a
   * handler that never ends exits with code 13.
   */
  async stopWhenIdle(options: WaitOptions = {}): Promise<void> {
    assertWaitOptions(options, "stopWhenIdle");
    assertNotAborted(options, stopText);
    await this.#pump.stopWhenIdle(options.signal).finally(() => this.#stopKept());
  }

  /**
   * Stops when `condition` holds. The runtime checks it after each message, and every 100 ms. Rejects with `wrong-state`
   * when not running. Aborting the signal ends the wait, and the runtime continues.
   */
  async stopWhen(condition: () => boolean, options: WaitOptions = {}): Promise<void> {
    assertFunction(condition, "The condition of stopWhen");
    assertWaitOptions(options, "stopWhen");
    assertNotAborted(options, stopText);
    await this.#pump.stopWhen(condition, options.signal).finally(() => this.#stopKept());
  }

  /**
   * Takes one message from the queue and resolves when it is on its way. Waits for a message if the queue is empty. Use it to step
   * without `start`. Aborting the signal ends the wait, and the runtime takes no message.
   */
  async processNext(options: WaitOptions = {}): Promise<void> {
    assertWaitOptions(options, "processNext");
    assertNotAborted(options, "Waiting for the next message");
    return this.#pump.processNext(options.signal);
  }

  /**
   * Stops if running, ends what waits and what runs, then closes every live agent. Its wait for an agent
   * that is being made or closed has a limit: see `drainTimeoutMs`. Twice is fine; `start` may follow, without the agents that were registered as
   * instances, and without their subscriptions.
   */
  async close(): Promise<void> {
    try {
      this.#kept.stop();
      await this.#pump.close();
    } finally {
      this.#arrivals.rejectAll(() => {
        const text = "Runtime stopped before the agent type of the call was registered.";
        return new UndeliverableException(text, { code: "shutting-down", notHandled: true });
      });
      await closeAgents(this.#catalog, this.#closeTimeoutMs, this.#clock, this.logger);
      this.#limitedLog.flush();
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
  sendMessage(
    message: unknown,
    recipient: AgentId,
    given?: SendOptions & Partial<SendOptionsWithAnswer<unknown>>,
  ): Promise<unknown> {
    let options = given ?? noOptions;
    try {
      assertCall(message, recipient, given);
      options = withCheckedMetadata(options);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#tracing === undefined) return this.#send(message, recipient, options);
    const details = { destination: recipient, messageType: messageTypeText(message) };
    return this.#tracing.span("create", details, () => this.#send(message, recipient, options));
  }

  async publishMessage<Message>(
    message: Sendable<Message>,
    topicId: TopicId,
    options: PublishOptions = {},
  ): Promise<void> {
    assertEvent(message, topicId, options);
    const checked = withCheckedMetadata(options);
    const topic = resolveTopic(topicId, options.sender, this.ambient);
    if (this.#tracing === undefined) {
      this.#publish(message, topic, checked);
      return;
    }
    const details = { destination: topic, messageType: messageTypeText(message) };
    this.#tracing.span("create", details, () => this.#publish(message, topic, checked));
  }

  async tell<Message>(message: Sendable<Message>, recipient: AgentId, options: TellOptions = {}): Promise<void> {
    assertTold(message, recipient, options);
    const checked = withCheckedMetadata(options);
    const { sender } = checked;
    const refusal = this.#checksMessages ? this.#codecs.refusalOf(message) : undefined;
    if (refusal !== undefined && !this.#interventions.seesSend) throw refusal;
    this.#log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message, sender, receiver: recipient });
    if (!this.#interventions.seesSend) return this.#kept.tell(message, recipient, checked);
    const { metadata } = checked;
    const messageId = this.#makeId;
    const messageContext = new HandlerContext({ sender, topicId: undefined, isRpc: true, messageId, metadata });
    const decided = await this.#interventions.onSend(message, { messageContext, recipient });
    if (decided !== DropMessage) return this.#kept.tell(decided, recipient, checked);
    this.#log?.dropped("MessageKind.DIRECT", { message, sender, receiver: recipient });
    throw new MessageDroppedException();
  }

  async registerFactory<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    options: RegisterFactoryOptions<T> = {},
  ): Promise<AgentType> {
    const text = agentTypeText(type);
    assertFactoryRegistration(factory, options);
    assertNotAborted(options, `The registration of agent type ${text}`);
    this.#catalog.addFactory(text, factory, options);
    try {
      this.#subscriptions.addAll(options.subscriptions);
    } catch (error) {
      this.#catalog.removeFactory(text);
      throw error;
    }
    this.#arrivals.arrived(text);
    return new AgentType(text);
  }

  async registerAgentInstance(agent: Agent, id: AgentId, options: RegisterAgentInstanceOptions = {}): Promise<AgentId> {
    assertInstanceRegistration(id, options);
    const what = `The registration of ${id}`;
    assertNotAborted(options, what);
    const added = this.#catalog.addInstance(agent, id, options);
    try {
      await untilAborted(added, options, what);
      this.#subscriptions.addAll(options.subscriptions, { keepsExisting: true });
    } catch (error) {
      // It may still be on its way to be bound.
      void added.then(
        () => this.#catalog.removeInstance(id, agent),
        () => undefined,
      );
      throw error;
    }
    this.#arrivals.arrived(id.type);
    return id;
  }

  async get(idOrType: AgentId | AgentType | string, key = "default", options: GetOptions = {}): Promise<AgentId> {
    assertGetOptions(options);
    const id = agentIdOf(idOrType, key);
    const what = `Getting ${id}`;
    assertNotAborted(options, what);
    if (options.lazy === false) await untilAborted(this.#catalog.made(id), options, what);
    return id;
  }

  async tryGetUnderlyingAgentInstance<T extends Agent = Agent>(
    id: AgentId,
    agentClass?: ClassOf<T>,
    options: WaitOptions = {},
  ): Promise<T> {
    if (agentClass !== undefined) assertFunction(agentClass, "The class of an agent");
    assertAgentRequest(id, options, "tryGetUnderlyingAgentInstance");
    return waitFor(`Getting ${id}`, options, () => this.#catalog.instance(id, agentClass));
  }

  async deactivateAgent(id: AgentId, options: WaitOptions = {}): Promise<void> {
    assertAgentRequest(id, options, "deactivateAgent");
    assertNotOwn(id, options);
    return waitFor(`Deactivating ${id}`, options, () => this.#catalog.deactivate(id, "asked"));
  }

  async destroyAgent(id: AgentId, options: WaitOptions = {}): Promise<void> {
    assertAgentRequest(id, options, "destroyAgent");
    assertNotOwn(id, options);
    return waitFor(`Destroying ${id}`, options, () => this.#catalog.deactivate(id, "destroyed"));
  }

  async addSubscription(subscription: Subscription, options: WaitOptions = {}): Promise<void> {
    assertSubscription(subscription);
    assertWaitOptions(options, "addSubscription");
    assertNotAborted(options, "Adding the subscription");
    this.#subscriptions.add(subscription);
  }

  async removeSubscription(id: string, options: WaitOptions = {}): Promise<void> {
    assertText(id, "The id of a subscription");
    assertWaitOptions(options, "removeSubscription");
    assertNotAborted(options, "Removing the subscription");
    this.#subscriptions.remove(id);
  }

  addMessageSerializer(types: MessageType | readonly MessageType[]): void {
    this.#codecs.add(types);
  }

  async agentMetadata(id: AgentId, options: WaitOptions = {}): Promise<AgentMetadata> {
    assertAgentRequest(id, options, "agentMetadata");
    return waitFor(`Describing ${id}`, options, () => this.#catalog.metadata(id));
  }

  async agentReminders(id: AgentId, options: WaitOptions = {}): Promise<readonly ReminderInfo[]> {
    assertAgentRequest(id, options, "agentReminders");
    return waitFor(`Reading the reminders of ${id}`, options, () => this.#kept.list(id));
  }

  async agentSaveState(id: AgentId, options: WaitOptions = {}): Promise<AgentState> {
    assertAgentRequest(id, options, "agentSaveState");
    return waitFor(`Saving the state of ${id}`, options, () => this.#catalog.saveState(id));
  }

  async agentLoadState(id: AgentId, state: AgentState, options: WaitOptions = {}): Promise<void> {
    assertAgentState(state);
    assertAgentRequest(id, options, "agentLoadState");
    return waitFor(`Loading the state of ${id}`, options, () => this.#catalog.loadState(id, state));
  }

  async saveState(options: WaitOptions = {}): Promise<AgentState> {
    assertWaitOptions(options, "saveState");
    return waitFor("Saving the states", options, () => this.#catalog.saveAll());
  }

  async loadState(state: AgentState, options: WaitOptions = {}): Promise<void> {
    assertAgentState(state);
    assertWaitOptions(options, "loadState");
    return waitFor("Loading the states", options, () => this.#catalog.loadAll(state));
  }

  #send(message: unknown, recipient: AgentId, options: Partial<SendOptionsWithAnswer<unknown>>): Promise<unknown> {
    const { sender, metadata, idempotencyKey, messageId = this.#makeId } = options;
    const bounds = boundsOf(options, this.#bounds);
    const { signal, timeoutMs } = bounds;
    const path = scopePathOf(options, this.ambient) ?? this.#catalog.pathOf(sender);
    if (path.length > 0) assertWithinGuards(path, recipient, this.#guards);
    const isBounded = signal !== undefined || timeoutMs !== undefined;
    const tooLate = isBounded ? errorBeforeSend(bounds, recipient) : undefined;
    if (tooLate !== undefined) return Promise.reject(tooLate);
    const type = this.#codecs.typeOf(message);
    if (type === undefined && this.#checksCallsFirst) {
      const refusal = this.#codecs.refusalOf(message);
      if (refusal !== undefined) return Promise.reject(refusal);
    }
    const { waitForTarget } = options;
    if (waitForTarget !== undefined && !this.#catalog.hasType(recipient.type)) {
      return this.#sendOnArrival(message, recipient, { ...options, ...bounds, waitForTarget });
    }
    this.#log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message, sender, receiver: recipient });
    if (!this.#catalog.hasType(recipient.type)) {
      const hint = `no agent type ${recipient.type} is registered in this runtime.`;
      return Promise.reject(new UndeliverableException(`Recipient not found: ${hint}`, { notHandled: true }));
    }
    if (idempotencyKey !== undefined && !this.#catalog.keepsState(recipient.type)) {
      return Promise.reject(keyRefused(recipient));
    }
    const deadline = deadlineAfter(timeoutMs, this.#clock);
    const context = new HandlerContext({
      sender,
      topicId: undefined,
      isRpc: true,
      messageId,
      agentId: recipient,
      runtime: this,
      deadline,
      isDeadlineWatched: true,
      path,
      metadata,
    });
    const call = new LocalCall(context, message, this.#pump);
    if (isBounded) call.within(bounds, deadline, recipient);
    const promised = options.answer ?? type?.answer;
    const link = this.#tracing?.inject();
    const envelope: SendEnvelope = {
      kind: "send",
      agentId: recipient,
      message,
      context,
      link,
      call,
      slot: 0,
      promised,
      queue: undefined,
    };
    if (idempotencyKey === undefined) this.#pump.push(envelope);
    else this.#pump.push({ ...envelope, kept: { id: idempotencyKey, principal: "" } });
    return call.promise;
  }

  /** Sends the call when its agent type is registered, with the time that is left to it then. */
  async #sendOnArrival(
    message: unknown,
    recipient: AgentId,
    options: Partial<SendOptionsWithAnswer<unknown>> & TargetWait,
  ): Promise<unknown> {
    const { timeoutMs } = options;
    const startMs = this.#clock.now();
    await this.#arrivals.wait(recipient.type, options);
    const left = timeoutMs === undefined ? undefined : timeoutMs - (this.#clock.now() - startMs);
    return this.#send(message, recipient, { ...options, timeoutMs: left, waitForTarget: undefined });
  }

  /** Its turn waits in the queue as every message. A runtime that has ended drops it. */
  #deliverTimer({ agentId, message, onEnd }: TimerMessage): void {
    const details = {
      sender: agentId,
      topicId: undefined,
      isRpc: true,
      messageId: this.#makeId,
      agentId,
      runtime: this,
    };
    const context = new HandlerContext(details);
    const running = { agentId, message, context, link: undefined, call: undefined, slot: 0 };
    this.#pump.push({ kind: "timer", ...running, onEnd, queue: undefined });
  }

  #publish(message: unknown, topicId: TopicId, options: PublishOptions): void {
    const { sender, signal, metadata, messageId = this.#makeId() } = options;
    const refusal = this.#checksMessages ? this.#codecs.refusalOf(message) : undefined;
    if (refusal !== undefined) throw refusal;
    const link = this.#tracing?.inject();
    const event: PublishEnvelope = { kind: "publish", message, topicId, sender, messageId, signal, metadata, link };
    const effects = options.immediately === true ? undefined : this.#catalog.effectsOf(sender);
    if (effects === undefined) this.#pushEvent(event);
    else effects.addEvent(event);
  }

  #pushEvent(event: PublishEnvelope): void {
    const { message, sender, topicId: receiver } = event;
    this.#log?.message("MessageKind.PUBLISH", "DeliveryStage.SEND", { message, sender, receiver });
    this.#pump.push(event);
  }

  /** Sends an event of a turn that is written. */
  #sendKept(event: PublishEnvelope): void {
    try {
      this.#pushEvent(event);
    } catch (error) {
      this.#limitedLog.debug(`An event for ${event.topicId} was dropped: ${errorText(error)}`);
    }
  }

  #keeper(): StateKeeper<PublishEnvelope> {
    this.#stateKeeper ??= new StoreKeeper({
      store: this.#kept.store,
      send: (event) => this.#sendKept(event),
    });
    return this.#stateKeeper;
  }

  /** Ends the courier, unless the runtime runs on: an aborted signal ends the wait alone. */
  #stopKept(): void {
    if (!this.#pump.isRunning) this.#kept.stop();
  }

  /** Throws `invalid-message` for an answer that a worker could not send. */
  #assertSendable({ promised }: Delivery & Partial<Pick<SendEnvelope, "promised">>, answer: unknown): void {
    const refusal = this.#checksMessages ? this.#codecs.refusalOfAnswer(answer, promised) : undefined;
    if (refusal !== undefined) throw refusal;
  }
}
