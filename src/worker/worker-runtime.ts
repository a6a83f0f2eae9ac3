// Over 400 lines: it implements all of `AgentRuntime`, and composes the parts of a worker once.
import {
  type Agent,
  AgentCatalog,
  type AgentFactory,
  type AgentId,
  type AgentMetadata,
  type AgentRuntime,
  type AgentState,
  AgentType,
  type AmbientContexts,
  type AnswerOf,
  agentIdOf,
  agentTypeText,
  assertAgentRequest,
  assertAgentState,
  assertCall,
  assertEvent,
  assertFactoryRegistration,
  assertFunction,
  assertGetOptions,
  assertInstanceRegistration,
  assertNotAborted,
  assertNotOwn,
  assertSubscription,
  assertText,
  assertTold,
  assertWaitOptions,
  type ClassOf,
  CodecRegistry,
  createLayers,
  type Delivery,
  Dispatcher,
  defaultLogger,
  EventGuard,
  type GetOptions,
  guardedLogger,
  InterventionChain,
  type Logger,
  LongWaits,
  MessageLog,
  type MessageType,
  offerPost,
  type PublishOptions,
  payloadText,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type ReminderInfo,
  type Sendable,
  type SendOptions,
  type SendOptionsWithAnswer,
  type StateStore,
  type Subscription,
  SubscriptionTable,
  type TellOptions,
  type TopicId,
  type WaitOptions,
  type WaitReports,
  waitFor,
} from "../core/internal.ts";
import { type StopWhenSignalOptions, stopWhenSignal } from "../process/internal.ts";
import type { LeavingNotice } from "../protocol/internal.ts";
import { AgentAccess } from "./agents/agent-access.ts";
import { HostedPost } from "./agents/hosted-post.ts";
import { Claims } from "./claims/claims.ts";
import { Leaving } from "./claims/leaving.ts";
import { StatusBoard, type WorkerStatus } from "./connection/worker-status.ts";
import { ConcurrencyLimiter } from "./inbound/concurrency-limiter.ts";
import { InFlight } from "./inbound/in-flight.ts";
import { Inbox } from "./inbound/inbox.ts";
import { TimerDelivery } from "./inbound/timer-delivery.ts";
import { assertStateIsShared, createKeptAgents } from "./kept-agents.ts";
import { type CallOptions, OutgoingCalls } from "./outbound/outgoing-calls.ts";
import { OutgoingEvents } from "./outbound/outgoing-events.ts";
import { SendQueue } from "./outbound/send-queue.ts";
import { copyOfWorkerCounters, createWorkerCounters, type WorkerCounters } from "./worker-counters.ts";
import { WorkerLifecycle } from "./worker-lifecycle.ts";
import { type WorkerRuntimeOptions, workerSettings } from "./worker-options.ts";
import type { WorkerClosed } from "./worker-stop.ts";

/**
 * The runtime of a worker process. Its agents and those of other workers reach one another through a host. `start` registers at
 * the host what you registered before it, types before subscriptions.
 */
// protocol.md §5.9
export class WorkerRuntime implements AgentRuntime {
  readonly logger: Logger;
  readonly ambient: AmbientContexts | undefined;
  readonly #registry = new CodecRegistry();
  readonly #catalog: AgentCatalog;
  readonly #limiter: ConcurrencyLimiter;
  readonly #sendQueue: SendQueue;
  readonly #status = new StatusBoard();
  readonly #counters = createWorkerCounters();
  readonly #lifecycle: WorkerLifecycle;
  readonly #calls: OutgoingCalls;
  readonly #events: OutgoingEvents;
  readonly #agents: AgentAccess;
  readonly #stateStore: StateStore | undefined;
  readonly #post: HostedPost;

  /** Creates a worker without connecting. Throws `invalid-argument` for invalid options. */
  constructor(options: WorkerRuntimeOptions) {
    const settings = workerSettings(options);
    const { ambient, messageLog, logger, tracing, clock, stuckAfterMs: afterMs } = settings;
    this.logger = guardedLogger(options.logger ?? defaultLogger);
    this.ambient = ambient;
    const registry = this.#registry;
    const counts = this.#counters;
    const subscriptions = new SubscriptionTable();
    const onTypeGone = (type: string) => subscriptions.removeType(type);
    const { sequentialAgents, maxLiveAgents, deactivationTimeoutMs } = settings;
    let lastToken = 0;
    // A call's request id is unique at its host. An event's id may come several times.
    const turnTokenOf = ({ context }: Delivery) =>
      context.isRpc && context.topicId === undefined ? context.messageId : `e${settings.requestIdPrefix}${++lastToken}`;
    const reports: WaitReports = {
      report: (delivery, behind) => inbox.reportWait(delivery, behind),
      withdraw: (delivery) => inbox.withdrawWait(delivery),
    };
    const longWaits = afterMs === 0 ? undefined : new LongWaits({ clock, afterMs, reports });
    const send = (notice: LeavingNotice) => void this.#lifecycle.currentOutbox?.sayClaims(notice);
    const claims = new Claims({ catalog: () => this.#catalog, send });
    const leaving = new Leaving({ claims, catalog: () => this.#catalog });
    const { state, hosted } = createKeptAgents({
      ...{ settings, registry, counts, stateStore: options.stateStore },
      catalog: () => this.#catalog,
      sendQueue: () => this.#sendQueue,
      hostStates: () => this.#lifecycle.hostStates,
      isStateless: () => this.#lifecycle.isStateless,
      epochOf: (id) => claims.epochOf(id),
      remindersChanged: (agent, changes) => inbox.withdrawTicks(agent, changes),
    });
    const { layers: stateLayers, ...kept } = state;
    const checks = { classCheck: "exact", onTypeGone, sequentialAgents, turnTokenOf, longWaits, ...kept } as const;
    const inFlight = new InFlight();
    const catalog = new AgentCatalog({
      ...{ runtime: this, ambient, messageLog, logger, ...checks },
      ...{ clock, maxLiveAgents, deactivationTimeoutMs, counts },
      placed: claims,
      countsEvents: Number.isFinite(settings.guards.maxEventDepth),
      contextsAt: (id) => claims.contextsAt(id) ?? inFlight.contextsAt(id),
      deliverTimer: (timer) => timers.deliver(timer),
    });
    const interventions = new InterventionChain(options.interventionHandlers, { tracing, logger });
    const log =
      messageLog === undefined ? undefined : new MessageLog(messageLog, (message) => payloadText(message, registry));
    const dispatcher = new Dispatcher({ catalog, logger, log, tracing, layers: createLayers(options), stateLayers });
    const limiter = new ConcurrencyLimiter({ ...settings, onChange: () => this.#lifecycle.reviewReading() });
    const sendQueue = new SendQueue(settings, counts, () => this.#lifecycle.onStranded());
    // Calls and generation 1's registrations share one sequence of ids (protocol.md §1.6).
    let lastRequestNumber = 0;
    const nextRequestNumber = () => ++lastRequestNumber;
    const outgoing = { settings, registry, interventions, log, sendQueue };
    const pathOf = (sender: AgentId | undefined) => catalog.pathOf(sender);
    const eventGuard = new EventGuard({
      ...{ maxDepth: settings.guards.maxEventDepth, ambient, logger },
      depthOf: (sender) => catalog.depthOf(sender),
      onGuarded: () => {
        counts.guardedEvents += 1;
      },
    });
    const calls = new OutgoingCalls({ ...outgoing, counts, nextRequestNumber, pathOf, eventGuard });
    const elsewhere = new Set<string>();
    const inbox = new Inbox({
      ...{ settings, catalog, subscriptions, registry, log, counts, calls, elsewhere },
      ...{ dispatcher, work: inFlight, slots: limiter, claims, leaving },
      onDrain: (graceMs) => this.#lifecycle.onDrain(graceMs),
      onHostLeaving: (connection, graceMs) => this.#lifecycle.onHostLeaving(connection, graceMs),
    });
    const timers = new TimerDelivery({
      ...{ catalog, dispatcher, work: inFlight, slots: limiter, makeId: settings.makeId, claims },
      takesWork: () => this.isRunning && inbox.intake === "all",
    });
    this.#catalog = catalog;
    this.#stateStore = options.stateStore;
    this.#limiter = limiter;
    this.#sendQueue = sendQueue;
    this.#calls = calls;
    const events = new OutgoingEvents({ ...outgoing, effectsOf: (sender) => catalog.effectsOf(sender), eventGuard });
    this.#events = events;
    this.#lifecycle = new WorkerLifecycle({
      ...{ settings, counters: counts, status: this.#status, catalog, subscriptions, sendQueue, calls, inbox },
      ...{
        events,
        inFlight,
        limiter,
        elsewhere,
        claims,
        leaving,
        nextRequestNumber,
        hasStore: options.stateStore !== undefined,
      },
    });
    this.#post = new HostedPost({
      ...{
        settings,
        registry,
        interventions,
        log,
        keeper: hosted,
        eventGuard,
        serves: (type) => catalog.hasType(type),
      },
      ...{ isMailless: () => this.#lifecycle.isMailless, effectsOf: (agent) => catalog.effectsOf(agent) },
      ...{ hostKeepsMail: () => this.#lifecycle.hostKeepsMail(), keepCall: (call) => calls.keep(call) },
    });
    offerPost(this, this.#post);
    this.#agents = new AgentAccess({
      ...{ catalog, claims, clock: settings.clock, services: () => this.#lifecycle.currentServices },
      placesAgents: () => this.#lifecycle.currentOutbox?.knowsClaims === true,
    });
  }

  /** Resolves with the reason when the run ends: you stopped the worker, or it gave up its host. Never rejects. */
  get closed(): Promise<WorkerClosed> {
    return this.#lifecycle.closed;
  }

  /** Whether the worker is between the start and the end of its run. `status` tells whether it has a host now. */
  get isRunning(): boolean {
    return this.#lifecycle.isRunning;
  }

  /**
   * Yields the status of the worker towards its host: the latest at once, then each change up to `closed`. A slow reader gets
   * the latest only.
   */
  status(): AsyncIterable<WorkerStatus> {
    return this.#status.read();
  }

  /** The numbers of handlers that run and of parked messages (`maxConcurrentHandlers`). */
  get handlers(): { readonly running: number; readonly parked: number } {
    const { runningCount, parkedCount } = this.#limiter;
    return { running: runningCount, parked: parkedCount };
  }

  /** The number of calls and events that wait for a host, or for a slow host to take them. */
  get queuedCount(): number {
    return this.#sendQueue.waitingCount;
  }

  /** The number of calls of this worker that wait for their answer. */
  get pendingCallsCount(): number {
    return this.#calls.pendingCount;
  }

  /** Returns a copy of the counters: its activations, and what this worker dropped, lost or refused since its creation. */
  counters(): Readonly<WorkerCounters> {
    return copyOfWorkerCounters(this.#counters);
  }

  /**
   * Connects to the host and registers there. Resolves when the host itself has answered. After a failed start you can start
   * the worker again. Throws `wrong-state` when the worker runs already, and `invalid-argument` for an address that can't be
   * read. Throws `UndeliverableException` when it can't reach the host, and `not-authorized` when the host refuses it. Throws `CancelledError` when `signal` aborts; the worker has left the host
   * again then.
   */
  async start(options?: WaitOptions): Promise<void> {
    assertWaitOptions(options, "start");
    return this.#lifecycle.start(options);
  }

  /**
   * Stops the worker. It takes no new messages and gives running handlers `drainTimeoutMs` to finish; after that it answers
   * their calls with an error. Then it sends queued messages, leaves the host and closes the agents. When `signal` aborts, the
   * stop waits no longer: it gives up handlers, drops and counts queued messages, and gives the last answers half a second.
   * Throws `wrong-state` when the worker was never started; calling it twice is fine. You can start the worker again. Agents that
   * you registered as instances are gone then, with their subscriptions.
   */
  async stop(options?: WaitOptions): Promise<void> {
    assertWaitOptions(options, "stop");
    return this.#lifecycle.stop(options);
  }

  /**
   * Stops the worker at the first process signal, or when the worker gives up its host. Resolves when the worker has stopped. A
   * second process signal makes the stop end without waiting. It then ends the process, even if timers still run; the exit code
   * is 128 plus the signal's number.
   * @example
   * await worker.start();
   * await worker.stopWhenSignal(); // SIGTERM, SIGINT or SIGHUP
   */
  stopWhenSignal(options: StopWhenSignalOptions = {}): Promise<void> {
    return stopWhenSignal(options, {
      ended: this.closed,
      stop: () => this.stop(),
      hurry: () => this.#lifecycle.hurry(),
    });
  }

  /** Stops the worker as `stop` does; does nothing when the worker does not run. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#lifecycle.isIdle) await this.stop();
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
  async sendMessage(message: unknown, recipient: AgentId, options?: CallOptions): Promise<unknown> {
    assertCall(message, recipient, options);
    this.#lifecycle.assertSending("sending message");
    this.#sendQueue.assertRoom("call");
    return this.#calls.send(message, recipient, options ?? {});
  }

  async publishMessage<Message>(
    message: Sendable<Message>,
    topicId: TopicId,
    options: PublishOptions = {},
  ): Promise<void> {
    assertEvent(message, topicId, options);
    this.#lifecycle.assertSending("publishing message");
    this.#sendQueue.assertRoom("event");
    return this.#events.publish(message, topicId, options);
  }

  async registerFactory<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    options?: RegisterFactoryOptions<T>,
  ): Promise<AgentType> {
    const text = agentTypeText(type);
    assertFactoryRegistration(factory, options);
    assertStateIsShared(text, options, this.#stateStore);
    await this.#lifecycle.registration.addFactory(text, factory, options);
    return new AgentType(text);
  }

  async registerAgentInstance(agent: Agent, id: AgentId, options?: RegisterAgentInstanceOptions): Promise<AgentId> {
    assertInstanceRegistration(id, options);
    await this.#lifecycle.registration.addInstance(agent, id, options);
    return id;
  }

  /**
   * Registers a factory and its subscriptions in one call.
   * @deprecated Use the agent class's `register`, or `registerFactory` and `addSubscription`.
   */
  async register<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    subscriptions: readonly Subscription[] | (() => readonly Subscription[] | Promise<readonly Subscription[]>) = [],
  ): Promise<AgentType> {
    const list = typeof subscriptions === "function" ? await subscriptions() : subscriptions;
    return this.registerFactory(type, factory, { subscriptions: list });
  }

  async get(idOrType: AgentId | AgentType | string, key = "default", options: GetOptions = {}): Promise<AgentId> {
    assertGetOptions(options);
    const id = agentIdOf(idOrType, key);
    assertNotAborted(options, `Getting ${id}`);
    if (options.lazy === false) await this.#agents.ensureMade(id, options);
    return id;
  }

  async tryGetUnderlyingAgentInstance<T extends Agent = Agent>(
    id: AgentId,
    agentClass?: ClassOf<T>,
    options: WaitOptions = {},
  ): Promise<T> {
    if (agentClass !== undefined) assertFunction(agentClass, "The class of an agent");
    assertAgentRequest(id, options, "tryGetUnderlyingAgentInstance");
    return this.#agents.instance(id, agentClass, options);
  }

  async deactivateAgent(id: AgentId, options: WaitOptions = {}): Promise<void> {
    assertAgentRequest(id, options, "deactivateAgent");
    assertNotOwn(id, options);
    return this.#agents.deactivate(id, "deactivate", options);
  }

  async destroyAgent(id: AgentId, options: WaitOptions = {}): Promise<void> {
    assertAgentRequest(id, options, "destroyAgent");
    assertNotOwn(id, options);
    return this.#agents.deactivate(id, "destroy", options);
  }

  async addSubscription(subscription: Subscription, options?: WaitOptions): Promise<void> {
    assertSubscription(subscription);
    assertWaitOptions(options, "addSubscription");
    return this.#lifecycle.registration.addSubscription(subscription, options);
  }

  async removeSubscription(id: string, options?: WaitOptions): Promise<void> {
    assertText(id, "The id of a subscription");
    assertWaitOptions(options, "removeSubscription");
    return this.#lifecycle.registration.removeSubscription(id, options);
  }

  addMessageSerializer(types: MessageType | readonly MessageType[]): void {
    this.#registry.add(types);
  }

  async agentMetadata(id: AgentId, options: WaitOptions = {}): Promise<AgentMetadata> {
    assertAgentRequest(id, options, "agentMetadata");
    return this.#agents.metadata(id, options);
  }

  /**
   * Keeps a message for an agent at the host, and resolves when it is kept. Rejects with `not-accessible` at a host that keeps no messages.
   * A worker with a `stateStore` of its own refuses it so in the name of its agents. Rejects with `disconnected` while there is no host.
   */
  async tell<Message>(message: Sendable<Message>, recipient: AgentId, options: TellOptions = {}): Promise<void> {
    assertTold(message, recipient, options);
    this.#lifecycle.assertSending("telling message");
    return this.#post.tell(message, recipient, options);
  }

  /** Resolves to the reminders of an agent of this worker. Rejects with `not-accessible` for others, and where no reminders are kept. */
  async agentReminders(id: AgentId, options: WaitOptions = {}): Promise<readonly ReminderInfo[]> {
    assertAgentRequest(id, options, "agentReminders");
    return waitFor(`Listing the reminders of ${id}`, options, () => this.#post.list(id));
  }

  async agentSaveState(id: AgentId, options: WaitOptions = {}): Promise<AgentState> {
    assertAgentRequest(id, options, "agentSaveState");
    return this.#agents.saveState(id, options);
  }

  async agentLoadState(id: AgentId, state: AgentState, options: WaitOptions = {}): Promise<void> {
    assertAgentState(state);
    assertAgentRequest(id, options, "agentLoadState");
    return this.#agents.loadState(id, state, options);
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
}
