import {
  type Agent,
  type AgentFactory,
  type AgentId,
  type AgentMetadata,
  type AgentRuntime,
  type AgentState,
  AgentType,
  type AmbientContexts,
  type AnswerOf,
  type AttachRunOptions,
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
  assertStream,
  assertSubscription,
  assertText,
  assertTold,
  assertWaitOptions,
  type ChunkOf,
  type ClassOf,
  defaultLogger,
  type GetOptions,
  guardedLogger,
  type ListRunsOptions,
  type Logger,
  type MessageStream,
  type MessageStreamOptions,
  type MessageType,
  type Metrics,
  offerPost,
  type PublishOptions,
  type RegisterAgentInstanceOptions,
  type RegisterFactoryOptions,
  type ReminderInfo,
  type Run,
  type RunListPage,
  type RunOf,
  type Sendable,
  type SendOptions,
  type SendOptionsWithAnswer,
  type StartRunOptions,
  type StateStore,
  type Subscription,
  type TellOptions,
  type TopicId,
  type WaitOptions,
  waitFor,
  withCheckedMetadata,
} from "../core/internal.ts";
import { type StopWhenSignalOptions, stopWhenSignal } from "../process/internal.ts";
import { composeWorker, type WorkerParts } from "./compose.ts";
import type { WorkerStatus } from "./connection/worker-status.ts";
import { assertStateIsShared } from "./kept-agents.ts";
import { type MeasuredWorker, measureWorker } from "./metrics/measure-worker.ts";
import type { CallOptions } from "./outbound/outgoing-calls.ts";
import { copyOfWorkerCounters, type WorkerCounters } from "./worker-counters.ts";
import type { WorkerLifecycle } from "./worker-lifecycle.ts";
import type { WorkerRuntimeOptions } from "./worker-options.ts";
import type { WorkerClosed } from "./worker-stop.ts";

/**
 * The runtime of a worker process. Its agents and those of other workers reach one another through a host. `start` registers at
 * the host what you registered before it, types before subscriptions.
 */
// protocol.md §5.9
export class WorkerRuntime implements AgentRuntime {
  readonly logger: Logger;
  readonly ambient: AmbientContexts | undefined;
  readonly #parts: WorkerParts;
  readonly #lifecycle: WorkerLifecycle;
  readonly #stateStore: StateStore | undefined;
  readonly #metrics: Metrics | undefined;
  /** Undefined: nothing is measured now. */
  #endMeasuring: (() => void) | undefined;

  /** Creates a worker without connecting. Throws `invalid-argument` for invalid options. */
  constructor(options: WorkerRuntimeOptions) {
    this.#parts = composeWorker(options, this);
    this.#lifecycle = this.#parts.lifecycle;
    this.logger = guardedLogger(options.logger ?? defaultLogger);
    this.ambient = options.ambient;
    this.#stateStore = options.stateStore;
    offerPost(this, this.#parts.post);
    this.#metrics = options.metrics;
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
    return this.#parts.status.read();
  }

  /** The numbers of handlers that run and of parked messages (`maxConcurrentHandlers`). */
  get handlers(): { readonly running: number; readonly parked: number } {
    const { runningCount, parkedCount } = this.#parts.limiter;
    return { running: runningCount, parked: parkedCount };
  }

  /** The number of calls and events that wait for a host, or for a slow host to take them. */
  get queuedCount(): number {
    return this.#parts.sendQueue.waitingCount;
  }

  /** The number of calls of this worker that wait for their answer. */
  get pendingCallsCount(): number {
    return this.#parts.calls.pendingCount;
  }

  /** Returns a copy of the counters: its activations, and what this worker dropped, lost or refused since its creation. */
  counters(): Readonly<WorkerCounters> {
    return copyOfWorkerCounters(this.#parts.counts);
  }

  /**
   * Connects to the host and registers there. Resolves when the host itself has answered. After a failed start you can start
   * the worker again. Throws `wrong-state` when the worker runs already, and `invalid-argument` for an address that can't be
   * read. Throws `UndeliverableException` when it can't reach the host, and `not-authorized` when the host refuses it. Throws `CancelledError` when `signal` aborts; the worker has left the host
   * again then.
   */
  async start(options?: WaitOptions): Promise<void> {
    assertWaitOptions(options, "start");
    if (this.#metrics === undefined) return this.#lifecycle.start(options);
    // A start beside another one fails, and does not end what that measures.
    const isFirst = this.#endMeasuring === undefined;
    this.#endMeasuring ??= measureWorker(this.#metrics, () => this.#measured());
    try {
      await this.#lifecycle.start(options);
    } catch (error) {
      if (isFirst) this.#stopMeasuring();
      throw error;
    }
    void this.closed.then(() => this.#stopMeasuring());
  }

  /**
   * Stops the worker. It takes no new messages and gives running handlers `drainTimeoutMs` to finish; after that it answers
   * their calls with an error. Then it sends queued messages, leaves the host and closes the agents. When `signal` aborts, the
   * stop waits no longer: it gives up handlers, drops and counts queued messages, and gives the last answers half a second.
   * After a start that failed it ends the agents which the first messages made. Throws `wrong-state` when the worker was never started;
   * calling it twice is fine. You can start the worker again. Agents that you registered as instances are gone then, with their
   * subscriptions.
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

  /** Stops the worker as `stop` does. Ends the agents of a worker that does not run: a start that failed may have left some. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifecycle.dispose();
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
    this.#parts.sendQueue.assertRoom("call");
    return this.#parts.calls.send(message, recipient, options ?? {});
  }

  /**
   * Sends a call whose answer comes in parts. A host that passes no chunks on is one of AutoGen's, or an older one; in a cluster none go from one
   * host to another. There the answer comes in one piece, as from a handler that yields nothing.
   */
  stream<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options: MessageStreamOptions = {},
  ): MessageStream<ChunkOf<Message>, AnswerOf<Message>> {
    assertStream(message, recipient, options);
    const stream: unknown = this.#parts.calls.stream(message, recipient, withCheckedMetadata(options), () => {
      this.#lifecycle.assertSending("sending message");
      this.#parts.sendQueue.assertRoom("call");
    });
    // The parts of a runtime know no types of messages.
    return stream as MessageStream<ChunkOf<Message>, AnswerOf<Message>>;
  }

  startRun<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options: StartRunOptions = {},
  ): Promise<Run<ChunkOf<Message>, AnswerOf<Message>>> {
    const run: Promise<unknown> = this.#parts.runClient.start(message, recipient, options);
    // The parts of a runtime know no types of messages.
    return run as Promise<Run<ChunkOf<Message>, AnswerOf<Message>>>;
  }

  attachRun<Type extends MessageType>(
    recipient: AgentId,
    id: string,
    options: AttachRunOptions<Type> = {},
  ): RunOf<Type> {
    const run: unknown = this.#parts.runClient.attach(recipient, id, options);
    // As above.
    return run as RunOf<Type>;
  }

  async listRuns(recipient: AgentId, options: ListRunsOptions = {}): Promise<RunListPage> {
    return this.#parts.runClient.list(recipient, options);
  }

  async publishMessage<Message>(
    message: Sendable<Message>,
    topicId: TopicId,
    options: PublishOptions = {},
  ): Promise<void> {
    assertEvent(message, topicId, options);
    this.#lifecycle.assertSending("publishing message");
    this.#parts.sendQueue.assertRoom("event");
    return this.#parts.events.publish(message, topicId, options);
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
    if (options.lazy === false) await this.#parts.agents.ensureMade(id, options);
    return id;
  }

  async tryGetUnderlyingAgentInstance<T extends Agent = Agent>(
    id: AgentId,
    agentClass?: ClassOf<T>,
    options: WaitOptions = {},
  ): Promise<T> {
    if (agentClass !== undefined) assertFunction(agentClass, "The class of an agent");
    assertAgentRequest(id, options, "tryGetUnderlyingAgentInstance");
    return this.#parts.agents.instance(id, agentClass, options);
  }

  async deactivateAgent(id: AgentId, options: WaitOptions = {}): Promise<void> {
    assertAgentRequest(id, options, "deactivateAgent");
    assertNotOwn(id, options);
    return this.#parts.agents.deactivate(id, "deactivate", options);
  }

  async destroyAgent(id: AgentId, options: WaitOptions = {}): Promise<void> {
    assertAgentRequest(id, options, "destroyAgent");
    assertNotOwn(id, options);
    return this.#parts.agents.deactivate(id, "destroy", options);
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
    this.#parts.registry.add(types);
  }

  async agentMetadata(id: AgentId, options: WaitOptions = {}): Promise<AgentMetadata> {
    assertAgentRequest(id, options, "agentMetadata");
    return this.#parts.agents.metadata(id, options);
  }

  /**
   * Keeps a message for an agent at the host, and resolves when it is kept. Rejects with `not-accessible` at a host that keeps no messages.
   * A worker with a `stateStore` of its own refuses it so in the name of its agents. Rejects with `disconnected` while there is no host.
   */
  async tell<Message>(message: Sendable<Message>, recipient: AgentId, options: TellOptions = {}): Promise<void> {
    assertTold(message, recipient, options);
    this.#lifecycle.assertSending("telling message");
    return this.#parts.post.tell(message, recipient, options);
  }

  /** Resolves to the reminders of an agent of this worker. Rejects with `not-accessible` for others, and where no reminders are kept. */
  async agentReminders(id: AgentId, options: WaitOptions = {}): Promise<readonly ReminderInfo[]> {
    assertAgentRequest(id, options, "agentReminders");
    return waitFor(`Listing the reminders of ${id}`, options, () => this.#parts.post.list(id));
  }

  async agentSaveState(id: AgentId, options: WaitOptions = {}): Promise<AgentState> {
    assertAgentRequest(id, options, "agentSaveState");
    return this.#parts.agents.saveState(id, options);
  }

  async agentLoadState(id: AgentId, state: AgentState, options: WaitOptions = {}): Promise<void> {
    assertAgentState(state);
    assertAgentRequest(id, options, "agentLoadState");
    return this.#parts.agents.loadState(id, state, options);
  }

  async saveState(options: WaitOptions = {}): Promise<AgentState> {
    assertWaitOptions(options, "saveState");
    return waitFor("Saving the states", options, () => this.#parts.catalog.saveAll());
  }

  async loadState(state: AgentState, options: WaitOptions = {}): Promise<void> {
    assertAgentState(state);
    assertWaitOptions(options, "loadState");
    return waitFor("Loading the states", options, () => this.#parts.catalog.loadAll(state));
  }

  #measured(): MeasuredWorker {
    const { counts, status, times, catalog, clock } = this.#parts;
    const oldestTurnMs = catalog.oldestWaitMs(clock.now());
    const { handlers, queuedCount, pendingCallsCount } = this;
    return {
      counts,
      isConnected: status.latest.at === "connected",
      handlers,
      queuedCount,
      pendingCallsCount,
      times,
      oldestTurnMs,
    };
  }

  #stopMeasuring(): void {
    this.#endMeasuring?.();
    this.#endMeasuring = undefined;
  }
}
