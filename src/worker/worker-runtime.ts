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
  type ClassOf,
  CodecRegistry,
  createLayers,
  Dispatcher,
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
} from "../core/internal.ts";
import { AgentAccess } from "./agents/agent-access.ts";
import { StatusBoard, type WorkerStatus } from "./connection/worker-status.ts";
import { ConcurrencyLimiter } from "./inbound/concurrency-limiter.ts";
import { InFlight } from "./inbound/in-flight.ts";
import { type CallOptions, OutgoingCalls } from "./outbound/outgoing-calls.ts";
import { OutgoingEvents } from "./outbound/outgoing-events.ts";
import { SendQueue } from "./outbound/send-queue.ts";
import { defaultStopSignals, untilSignal } from "./process-signals.ts";
import { createWorkerCounters, type WorkerCounters } from "./worker-counters.ts";
import { type WorkerClosed, WorkerLifecycle } from "./worker-lifecycle.ts";
import { type WorkerRuntimeOptions, workerSettings } from "./worker-options.ts";
import type { WorkerParts } from "./worker-parts.ts";

/**
 * The runtime of a worker process: its agents are reached through a host, and reach others through it (protocol.md §5.9).
 * What is registered before `start` is announced then, types before subscriptions.
 */
export class WorkerRuntime implements AgentRuntime {
  readonly logger: Logger;
  readonly ambient: AmbientContexts | undefined;
  readonly #parts: WorkerParts;
  readonly #lifecycle: WorkerLifecycle;
  readonly #calls: OutgoingCalls;
  readonly #events: OutgoingEvents;
  readonly #agents: AgentAccess;

  /** Throws `invalid-argument` for options that can't be meant. Connects to nothing yet. */
  constructor(options: WorkerRuntimeOptions) {
    this.#parts = this.#makeParts(options);
    this.logger = this.#parts.settings.logger;
    this.ambient = this.#parts.settings.ambient;
    this.#calls = new OutgoingCalls(this.#parts);
    this.#events = new OutgoingEvents(this.#parts);
    this.#lifecycle = new WorkerLifecycle(this.#parts, this.#calls);
    this.#agents = new AgentAccess(this.#parts.catalog, () => this.#lifecycle.currentConnection);
  }

  /** Resolves with the reason when the run ends: it was stopped, or the host was given up. Never rejects. */
  get closed(): Promise<WorkerClosed> {
    return this.#lifecycle.closed;
  }

  /** From the start to the end of the run; whether there is a host at the moment, `status` tells. */
  get isRunning(): boolean {
    return this.#lifecycle.isRunning;
  }

  /** Where the worker stands with its host: the latest state at once, then each change up to `closed`. A slow reader gets the latest only. */
  status(): AsyncIterable<WorkerStatus> {
    return this.#parts.status.read();
  }

  /** Handlers that run, and messages that wait for one to end (`maxConcurrentHandlers`). */
  get handlers(): { readonly running: number; readonly parked: number } {
    const { runningCount, parkedCount } = this.#parts.slots;
    return { running: runningCount, parked: parkedCount };
  }

  /** Calls and events that wait for a host, or for room. */
  get queuedCount(): number {
    return this.#parts.sendQueue.waitingCount;
  }

  /** Calls of this worker that wait for their answer. */
  get pendingCallsCount(): number {
    return this.#calls.pendingCount;
  }

  /** What was passed over or lost so far; a copy. */
  get counts(): Readonly<WorkerCounters> {
    return { ...this.#parts.counts };
  }

  /** Connects to the host. Throws `wrong-state` when running, `UndeliverableException` when the host can't be reached. */
  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  /**
   * Takes nothing new, lets handlers finish for `drainTimeoutMs`, answers for the rest, sends what is queued, leaves and
   * closes the agents. Throws `wrong-state` when it was never started; twice is fine. It can be started again; agents that were
   * registered as instances are gone then, with their subscriptions.
   */
  stop(): Promise<void> {
    return this.#lifecycle.stop();
  }

  /** Stops at the first of these signals, or when the host is given up; resolves when it has stopped. A second signal ends the stop's waiting. */
  async stopWhenSignal(signals: readonly NodeJS.Signals[] = defaultStopSignals): Promise<void> {
    await untilSignal(signals, this.closed);
    const stopped = this.stop();
    const second = await untilSignal(
      signals,
      stopped.catch(() => undefined),
    );
    if (second !== undefined) this.#lifecycle.hurry();
    await stopped;
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

  async get(
    idOrType: AgentId | AgentType | string,
    key = "default",
    options: { readonly lazy?: boolean } = {},
  ): Promise<AgentId> {
    const id = idOrType instanceof AgentId ? idOrType : new AgentId(idOrType, key);
    if (options.lazy === false) await this.#agents.ensureMade(id);
    return id;
  }

  tryGetUnderlyingAgentInstance<T extends Agent = Agent>(id: AgentId, agentClass?: ClassOf<T>): Promise<T> {
    return this.#agents.instance(id, agentClass);
  }

  addSubscription(subscription: Subscription): Promise<void> {
    return this.#lifecycle.registration.addSubscription(subscription);
  }

  removeSubscription(id: string): Promise<void> {
    return this.#lifecycle.registration.removeSubscription(id);
  }

  addMessageSerializer(types: MessageType | readonly MessageType[]): void {
    this.#parts.registry.add(types);
  }

  agentMetadata(id: AgentId): Promise<AgentMetadata> {
    return this.#agents.metadata(id);
  }

  agentSaveState(id: AgentId): Promise<AgentState> {
    return this.#agents.saveState(id);
  }

  async agentLoadState(id: AgentId, state: AgentState): Promise<void> {
    assertAgentState(state);
    return this.#agents.loadState(id, state);
  }

  saveState(): Promise<AgentState> {
    return this.#parts.catalog.saveAll();
  }

  async loadState(state: AgentState): Promise<void> {
    assertAgentState(state);
    return this.#parts.catalog.loadAll(state);
  }

  #makeParts(options: WorkerRuntimeOptions): WorkerParts {
    const settings = workerSettings(options);
    const { ambient, messageLog, logger, tracing } = settings;
    const registry = new CodecRegistry();
    let lastRequestNumber = 0;
    const counts = createWorkerCounters();
    const subscriptions = new SubscriptionTable();
    const onTypeGone = (type: string) => subscriptions.removeType(type);
    const catalog = new AgentCatalog({ runtime: this, ambient, messageLog, logger, classCheck: "exact", onTypeGone });
    const log =
      messageLog === undefined ? undefined : new MessageLog(messageLog, (message) => payloadText(message, registry));
    return {
      settings,
      registry,
      catalog,
      dispatcher: new Dispatcher({ catalog, logger, log, tracing, layers: createLayers(options) }),
      subscriptions,
      interventions: new InterventionChain(options.interventionHandlers, { tracing, logger }),
      log,
      work: new InFlight(),
      slots: new ConcurrencyLimiter({ ...settings, onChange: () => this.#lifecycle.reviewReading() }),
      sendQueue: new SendQueue(settings, counts),
      status: new StatusBoard(),
      counts,
      nextRequestNumber: () => ++lastRequestNumber,
    };
  }
}
