// Over 400 lines: it is the port AgentRuntime. Each method checks its arguments and asks a part, which compose.ts makes.
import type {
  AgentRuntime,
  GetOptions,
  MessageStreamOptions,
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
import { type Clock, systemClock } from "../clock.ts";
import { offerPost } from "../courier/agent-post.ts";
import type { ReminderInfo } from "../courier/reminders/when.ts";
import {
  type ActivationCounters,
  copyOfCounters,
  createActivationCounters,
} from "../delivery/activations/activation-counters.ts";
import type { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import { assertNotOwn } from "../delivery/calls/call-bounds.ts";
import { withCheckedMetadata } from "../delivery/message-metadata.ts";
import type { TypeArrivals } from "../delivery/type-arrivals.ts";
import { UndeliverableException } from "../errors.ts";
import { LimitedLog } from "../limited-log.ts";
import { defaultLogger, guardedLogger, type Logger } from "../logger.ts";
import type { AttachRunOptions, ListRunsOptions, Run, RunListPage, RunOf, StartRunOptions } from "../runs/run.ts";
import type { RunClient } from "../runs/run-client.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import type { AnswerOf, ChunkOf, MessageType } from "../serialization/message-type.ts";
import type { Sendable } from "../serialization/sendable.ts";
import type { MessageStream } from "../streaming/message-stream.ts";
import type { Subscription } from "../topics/subscription.ts";
import type { SubscriptionTable } from "../topics/subscription-table.ts";
import type { TopicId } from "../topics/topic-id.ts";
import {
  agentIdOf,
  assertAgentState,
  assertFunction,
  assertSubscription,
  assertText,
} from "../validation/assert-arguments.ts";
import {
  assertAgentRequest,
  assertCall,
  assertEvent,
  assertFactoryRegistration,
  assertGetOptions,
  assertInstanceRegistration,
  assertStream,
  assertTold,
} from "../validation/call-options.ts";
import { assertNotAborted, assertWaitOptions, untilAborted, type WaitOptions, waitFor } from "../wait-options.ts";
import { closeAgents } from "./close-agents.ts";
import { composeRuntime } from "./compose.ts";
import type { KeptMessages } from "./kept-messages.ts";
import type { MessagePump } from "./message-pump.ts";
import type { Outgoing, OutgoingCallOptions } from "./outgoing.ts";
import { assertRuntimeOptions, type SingleThreadedAgentRuntimeOptions } from "./single-threaded-options.ts";

const noOptions: OutgoingCallOptions = Object.freeze({});

const stopText = "The stop of the runtime";

/**
 * The runtime within one process. It takes messages from one queue in order and lets their handlers interleave. Calls and
 * events wait in the queue until `start`. Nothing is serialized: a handler gets the very object that was sent.
 */
export class SingleThreadedAgentRuntime implements AgentRuntime {
  readonly logger: Logger;
  readonly ambient: AmbientContexts | undefined;
  readonly #catalog: AgentCatalog;
  readonly #subscriptions: SubscriptionTable;
  readonly #codecs: CodecRegistry;
  readonly #pump: MessagePump;
  readonly #arrivals: TypeArrivals;
  readonly #kept: KeptMessages;
  readonly #outgoing: Outgoing;
  readonly #runClient: RunClient;
  readonly #clock: Clock;
  readonly #drainTimeoutMs: number;
  readonly #limitedLog: LimitedLog;
  readonly #activationCounts = createActivationCounters();
  #droppedEvents = 0;
  #guardedEvents = 0;

  /** Throws `invalid-argument` for unknown options, and for values of a wrong kind. */
  constructor(options: SingleThreadedAgentRuntimeOptions = {}) {
    assertRuntimeOptions(options);
    const { clock = systemClock, drainTimeoutMs = 5_000 } = options;
    this.logger = guardedLogger(options.logger ?? defaultLogger);
    this.ambient = options.ambient;
    this.#clock = clock;
    this.#drainTimeoutMs = drainTimeoutMs;
    this.#limitedLog = new LimitedLog(this.logger, clock);
    const parts = composeRuntime(options, {
      runtime: this,
      logger: this.#limitedLog,
      counts: this.#activationCounts,
      onEventDropped: () => {
        this.#droppedEvents += 1;
      },
      onGuarded: () => {
        this.#guardedEvents += 1;
      },
    });
    this.#catalog = parts.catalog;
    this.#subscriptions = parts.subscriptions;
    this.#codecs = parts.codecs;
    this.#arrivals = parts.arrivals;
    this.#pump = parts.pump;
    this.#kept = parts.kept;
    this.#outgoing = parts.outgoing;
    this.#runClient = parts.runClient;
    offerPost(this, parts.kept);
  }

  /** The number of calls, events and answers that wait in the queue. */
  get unprocessedMessagesCount(): number {
    return this.#pump.waiting;
  }

  /** The number of events that were dropped because too many messages waited for a turn at their agent (`maxQueuedPerAgent`). */
  get droppedEventsCount(): number {
    return this.#droppedEvents;
  }

  /** The number of events that were dropped, and of told messages that were refused, because too many handlers led to them (`guards.events`). */
  get guardedEventsCount(): number {
    return this.#guardedEvents;
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
      await closeAgents(this.#catalog, Math.max(this.#drainTimeoutMs, 5_000), this.#clock, this.logger);
      // What an agent tells while it is deactivated is still kept.
      this.#kept.end();
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
    return this.#outgoing.send(message, recipient, options);
  }

  stream<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options: MessageStreamOptions = {},
  ): MessageStream<ChunkOf<Message>, AnswerOf<Message>> {
    assertStream(message, recipient, options);
    const stream: unknown = this.#outgoing.stream(message, recipient, withCheckedMetadata(options));
    // The parts of a runtime know no types of messages.
    return stream as MessageStream<ChunkOf<Message>, AnswerOf<Message>>;
  }

  startRun<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options: StartRunOptions = {},
  ): Promise<Run<ChunkOf<Message>, AnswerOf<Message>>> {
    const run: Promise<unknown> = this.#runClient.start(message, recipient, options);
    // The parts of a runtime know no types of messages.
    return run as Promise<Run<ChunkOf<Message>, AnswerOf<Message>>>;
  }

  attachRun<Type extends MessageType>(
    recipient: AgentId,
    id: string,
    options: AttachRunOptions<Type> = {},
  ): RunOf<Type> {
    const run: unknown = this.#runClient.attach(recipient, id, options);
    // As above.
    return run as RunOf<Type>;
  }

  async listRuns(recipient: AgentId, options: ListRunsOptions = {}): Promise<RunListPage> {
    return this.#runClient.list(recipient, options);
  }

  async publishMessage<Message>(
    message: Sendable<Message>,
    topicId: TopicId,
    options: PublishOptions = {},
  ): Promise<void> {
    assertEvent(message, topicId, options);
    const kept = this.#outgoing.publish(message, topicId, withCheckedMetadata(options));
    if (kept !== undefined) await kept;
  }

  async tell<Message>(message: Sendable<Message>, recipient: AgentId, options: TellOptions = {}): Promise<void> {
    assertTold(message, recipient, options);
    return this.#outgoing.tell(message, recipient, withCheckedMetadata(options));
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

  /** Ends the courier, unless the runtime runs on: an aborted signal ends the wait alone. */
  #stopKept(): void {
    if (!this.#pump.isRunning) this.#kept.stop();
  }
}
