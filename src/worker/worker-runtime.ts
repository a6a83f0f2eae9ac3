import {
  type Agent,
  AgentCatalog,
  type AgentFactory,
  AgentId,
  type AgentMetadata,
  type AgentRuntime,
  type AgentState,
  AgentType,
  type AmbientContexts,
  type AnswerOf,
  agentTypeText,
  assertAgentId,
  assertAgentState,
  assertCall,
  assertEvent,
  assertNotAborted,
  type ClassOf,
  CodecRegistry,
  createLayers,
  Dispatcher,
  type GetOptions,
  InterventionChain,
  type Logger,
  MessageLog,
  type MessageType,
  type PublishOptions,
  payloadText,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type Sendable,
  type SendOptions,
  type SendOptionsWithAnswer,
  type Subscription,
  SubscriptionTable,
  type TopicId,
  type WaitOptions,
  waitFor,
} from "../core/internal.ts";
import { AgentAccess } from "./agents/agent-access.ts";
import { StatusBoard, type WorkerStatus } from "./connection/worker-status.ts";
import { ConcurrencyLimiter } from "./inbound/concurrency-limiter.ts";
import { InFlight } from "./inbound/in-flight.ts";
import { Inbox } from "./inbound/inbox.ts";
import { type CallOptions, OutgoingCalls } from "./outbound/outgoing-calls.ts";
import { OutgoingEvents } from "./outbound/outgoing-events.ts";
import { SendQueue } from "./outbound/send-queue.ts";
import { type StopWhenSignalOptions, stopWhenSignal } from "./process-signals.ts";
import { createWorkerCounters, type WorkerCounters } from "./worker-counters.ts";
import { type WorkerClosed, WorkerLifecycle } from "./worker-lifecycle.ts";
import { type WorkerRuntimeOptions, workerSettings } from "./worker-options.ts";

/**
 * The runtime of a worker process: others reach its agents through a host, and its agents reach others through the host. What you
 * register before `start` is registered at the host then, types before subscriptions.
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

  /** Throws `invalid-argument` for invalid options. Connects to nothing yet. */
  constructor(options: WorkerRuntimeOptions) {
    const settings = workerSettings(options);
    const { ambient, messageLog, logger, tracing } = settings;
    this.logger = logger;
    this.ambient = ambient;
    const registry = this.#registry;
    const counts = this.#counters;
    const subscriptions = new SubscriptionTable();
    const onTypeGone = (type: string) => subscriptions.removeType(type);
    const catalog = new AgentCatalog({ runtime: this, ambient, messageLog, logger, classCheck: "exact", onTypeGone });
    const interventions = new InterventionChain(options.interventionHandlers, { tracing, logger });
    const log =
      messageLog === undefined ? undefined : new MessageLog(messageLog, (message) => payloadText(message, registry));
    const dispatcher = new Dispatcher({ catalog, logger, log, tracing, layers: createLayers(options) });
    const inFlight = new InFlight();
    const limiter = new ConcurrencyLimiter({ ...settings, onChange: () => this.#lifecycle.reviewReading() });
    const sendQueue = new SendQueue(settings, counts);
    // Calls and generation 1's registrations share one sequence of ids (protocol.md §1.6).
    let lastRequestNumber = 0;
    const nextRequestNumber = () => ++lastRequestNumber;
    const outgoing = { settings, registry, interventions, log, sendQueue };
    const calls = new OutgoingCalls({ ...outgoing, counts, nextRequestNumber });
    const elsewhere = new Set<string>();
    const inbox = new Inbox({
      ...{ settings, catalog, subscriptions, registry, log, counts, calls, elsewhere },
      ...{ dispatcher, work: inFlight, slots: limiter },
      onHostLeaving: (connection, graceMs) => this.#lifecycle.onHostLeaving(connection, graceMs),
    });
    this.#catalog = catalog;
    this.#limiter = limiter;
    this.#sendQueue = sendQueue;
    this.#calls = calls;
    this.#events = new OutgoingEvents(outgoing);
    this.#lifecycle = new WorkerLifecycle({
      ...{ settings, counters: counts, status: this.#status, catalog, subscriptions, sendQueue, calls, inbox },
      ...{ inFlight, limiter, elsewhere, nextRequestNumber },
    });
    this.#agents = new AgentAccess(catalog, () => this.#lifecycle.currentServices);
  }

  /** Resolves with the reason when the run ends: the worker was stopped, or gave up its host. Never rejects. */
  get closed(): Promise<WorkerClosed> {
    return this.#lifecycle.closed;
  }

  /** True from the start to the end of the run. `status` tells whether there is a host at the moment. */
  get isRunning(): boolean {
    return this.#lifecycle.isRunning;
  }

  /**
   * Yields where the worker stands with its host: the latest state at once, then each change up to `closed`. A slow reader gets
   * the latest only.
   */
  status(): AsyncIterable<WorkerStatus> {
    return this.#status.read();
  }

  /** Handlers that run, and messages that wait for one to end (`maxConcurrentHandlers`). */
  get handlers(): { readonly running: number; readonly parked: number } {
    const { runningCount, parkedCount } = this.#limiter;
    return { running: runningCount, parked: parkedCount };
  }

  /** Calls and events that wait for a host, or for room. */
  get queuedCount(): number {
    return this.#sendQueue.waitingCount;
  }

  /** Calls of this worker that wait for their answer. */
  get pendingCallsCount(): number {
    return this.#calls.pendingCount;
  }

  /** Returns what this worker has passed over or lost since it was made; a copy. */
  counters(): Readonly<WorkerCounters> {
    return { ...this.#counters };
  }

  /**
   * Connects to the host and registers there. Resolves when the host itself has answered. Throws `wrong-state` when the worker
   * runs, `UndeliverableException` when the host can't be reached, `not-authorized` when the host refuses the worker, and
   * `CancelledError` when `signal` aborts: then the worker has left the host again. It can be started again after each of them.
   */
  start(options?: WaitOptions): Promise<void> {
    return this.#lifecycle.start(options);
  }

  /**
   * Takes nothing new, lets handlers finish for `drainTimeoutMs`, answers for the rest, sends what is queued, leaves the host and
   * closes the agents. When `signal` aborts, the stop waits for nothing any more: it gives up handlers, and drops and counts what
   * is queued. Throws `wrong-state` when the worker was never started; calling it twice is fine. The worker can be started again;
   * agents that were registered as instances are gone then, with their subscriptions.
   */
  stop(options?: WaitOptions): Promise<void> {
    return this.#lifecycle.stop(options);
  }

  /**
   * Stops at the first process signal, or when the worker gives up its host; resolves when it has stopped. A second process signal
   * ends the stop's waiting, and then the process, with exit code 128 plus the signal's number: no timer of a handler keeps it.
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

  /** As `stop`, and nothing when it is not running. */
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
  async sendMessage(message: unknown, recipient: AgentId, options: CallOptions = {}): Promise<unknown> {
    assertCall(recipient, options);
    this.#lifecycle.assertSending("sending message");
    return this.#calls.send(message, recipient, options);
  }

  async publishMessage<Message>(
    message: Sendable<Message>,
    topicId: TopicId,
    options: PublishOptions = {},
  ): Promise<void> {
    assertEvent(topicId, options);
    this.#lifecycle.assertSending("publishing message");
    return this.#events.publish(message, topicId, options);
  }

  async registerFactory<T extends Agent>(
    type: string | AgentType,
    factory: AgentFactory<T>,
    options?: RegisterFactoryOptions<T>,
  ): Promise<AgentType> {
    const text = agentTypeText(type);
    await this.#lifecycle.registration.addFactory(text, factory, options);
    return new AgentType(text);
  }

  async registerAgentInstance(agent: Agent, id: AgentId, options?: RegisterAgentInstanceOptions): Promise<AgentId> {
    assertAgentId(id, "id of an instance");
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
    const id = idOrType instanceof AgentId ? idOrType : new AgentId(idOrType, key);
    assertNotAborted(options, `Getting ${id}`);
    if (options.lazy === false) await this.#agents.ensureMade(id, options);
    return id;
  }

  tryGetUnderlyingAgentInstance<T extends Agent = Agent>(
    id: AgentId,
    agentClass?: ClassOf<T>,
    options: WaitOptions = {},
  ): Promise<T> {
    return this.#agents.instance(id, agentClass, options);
  }

  addSubscription(subscription: Subscription, options?: WaitOptions): Promise<void> {
    return this.#lifecycle.registration.addSubscription(subscription, options);
  }

  removeSubscription(id: string, options?: WaitOptions): Promise<void> {
    return this.#lifecycle.registration.removeSubscription(id, options);
  }

  addMessageSerializer(types: MessageType | readonly MessageType[]): void {
    this.#registry.add(types);
  }

  agentMetadata(id: AgentId, options: WaitOptions = {}): Promise<AgentMetadata> {
    return this.#agents.metadata(id, options);
  }

  agentSaveState(id: AgentId, options: WaitOptions = {}): Promise<AgentState> {
    return this.#agents.saveState(id, options);
  }

  async agentLoadState(id: AgentId, state: AgentState, options: WaitOptions = {}): Promise<void> {
    assertAgentState(state);
    return this.#agents.loadState(id, state, options);
  }

  saveState(options: WaitOptions = {}): Promise<AgentState> {
    return waitFor("Saving the states", options, () => this.#catalog.saveAll());
  }

  async loadState(state: AgentState, options: WaitOptions = {}): Promise<void> {
    assertAgentState(state);
    return waitFor("Loading the states", options, () => this.#catalog.loadAll(state));
  }
}
