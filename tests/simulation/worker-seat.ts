// Over 400 lines: the whole life of one seat, whose parts share what is held and what is wanted.
import { AgentId, type Subscription, TopicId, TypePrefixSubscription, TypeSubscription } from "../../src/core/index.ts";
import { cronPatterns } from "../../src/cron/index.ts";
import { states } from "../../src/protocol/internal.ts";
import type { SimulatedProcess } from "../../src/testing/index.ts";
import { type WorkerOptions, WorkerRuntime } from "../../src/worker/index.ts";
import { aroundStreams, ReaderGate } from "./around-streams.ts";
import { hostAddresses } from "./host-seat.ts";
import { KeptAgent, keptType, topicOfTells } from "./kept/kept-agent.ts";
import { Bell, Look, Note } from "./kept/messages.ts";
import { goAwayDialer, lateDialer } from "./late-dialer.ts";
import { type SubscriptionRecord, sharedPart } from "./ledger.ts";
import { Done, News, Part, Parts, Ping, Task } from "./messages.ts";
import type { PlannedSeat } from "./plan.ts";
import { endOf, keepingTimers, longestChangeMs, type Occupant, registrationsMs } from "./seat-parts.ts";
import { silentLogger } from "./silent-logger.ts";
import { SimulatedAgent } from "./simulated-agent.ts";
import { tapped } from "./wire-tap.ts";
import type { WorldParts } from "./world-parts.ts";

const retryMs = 150;

/** Where one worker runs: one process after another, each kept running until it is to end. */
export class WorkerSeat {
  readonly index: number;
  /** All that ever ran here, for the checks at the end. */
  readonly occupants: Occupant[] = [];
  readonly #parts: WorldParts;
  readonly #plan: PlannedSeat;
  readonly #held = new Map<string, SubscriptionRecord>();
  #present: Occupant | undefined;
  #isWanted = false;
  #disturbances = 0;
  #isWatched = false;
  #reader: ReaderGate | undefined;
  /** Data channels that are read slowly. The worker may have opened another one since. */
  readonly #slowReaders = new Set<ReaderGate>();
  #lateMs = 0;
  /** Says to the present connection that its host takes no more calls there. Resolves when the connection has ended. */
  #goAway: () => Promise<unknown> = async () => undefined;
  #changes = 0;

  constructor(index: number, plan: PlannedSeat, parts: WorldParts) {
    this.index = index;
    this.#plan = plan;
    this.#parts = parts;
  }

  get name(): string {
    return `w${this.index}`;
  }

  get agentType(): string {
    return `type-${this.index}`;
  }

  get line() {
    return this.#parts.simulation.line(this.name);
  }

  /** Undefined when there is no process. */
  get present(): Occupant | undefined {
    return this.#present;
  }

  /** A new process, which keeps its worker running. */
  async occupy(): Promise<void> {
    const { simulation } = this.#parts;
    const process = simulation.process(`${this.name}#${this.occupants.length + 1}`, this.name);
    const worker = new WorkerRuntime(this.#options(process));
    this.#present = { process, worker };
    this.occupants.push(this.#present);
    this.disturb();
    worker.addMessageSerializer([Task, Done, News, Parts, Part, Ping, Look, Note, Bell]);
    await this.#declare(process, worker);
    this.#isWanted = true;
    void this.#keepRunning(this.#present);
  }

  /** Something has happened that this seat's service may suffer from, until it has proved to be well again. */
  disturb(): void {
    this.#parts.ledger.disturb(sharedPart(this.name));
    this.disturbOwn();
  }

  /** The same of all but the agents of shared types: those go on elsewhere. */
  disturbOwn(): void {
    this.#disturbances += 1;
    this.#parts.ledger.disturb(this.name);
    if (this.#isWatched) return;
    this.#isWatched = true;
    void this.#watch();
  }

  kill(): void {
    this.disturb();
    this.line.cut();
    this.#present?.process.kill();
    this.#vacate();
  }

  /** Ends the process as its user would. */
  async stop(): Promise<void> {
    const occupant = this.#present;
    if (occupant === undefined) return;
    this.#parts.ledger.retire(occupant.process);
    await this.pauseWorker();
    if (this.#present === occupant) this.#vacate();
  }

  /** Stops the worker; the process stays, and `resumeWorker` starts the same worker again. */
  async pauseWorker(): Promise<void> {
    const occupant = this.#present;
    if (occupant === undefined) return;
    this.disturb();
    this.#isWanted = false;
    const { process, worker } = occupant;
    const stop = this.#parts.ledger.follow(`${process.name} stop`, process, endOf(worker));
    await Promise.race([stop, process.killed]).catch(() => undefined);
  }

  resumeWorker(): void {
    if (this.#present === undefined || this.#isWanted) return;
    this.#isWanted = true;
    void this.#keepRunning(this.#present);
  }

  /** The host loses the worker now; the worker notices so many milliseconds later. */
  loseBehind(lateMs: number): void {
    this.disturb();
    this.#lateMs = lateMs;
    this.line.cut();
  }

  /**
   * Has the worker open another connection. The old one goes on until it is empty. Then the worker registers its types anew, and the host does
   * not find its agents meanwhile.
   */
  changeConnection(): void {
    const { ledger } = this.#parts;
    if (this.#present === undefined) return;
    const change = { process: this.#present.process, at: ledger.moment(), endedAt: Number.POSITIVE_INFINITY };
    ledger.changes.push(change);
    this.disturbOwn();
    this.#changes += 1;
    const ended = this.#goAway().then(() => {
      change.endedAt = ledger.moment();
    });
    // A handler that never ends keeps the old connection.
    void Promise.race([ended, this.#sleep(longestChangeMs)])
      .then(() => this.#sleep(registrationsMs))
      .then(() => {
        this.#changes -= 1;
        this.disturbOwn();
      });
  }

  /** The worker notices losses at once again. */
  notice(): void {
    this.#lateMs = 0;
    this.disturb();
  }

  slowDown(isSlow: boolean): void {
    if (isSlow && this.#reader !== undefined) this.#slowReaders.add(this.#reader);
    for (const reader of this.#slowReaders) reader.hold(isSlow);
    if (!isSlow) this.#slowReaders.clear();
  }

  async addSubscription(topic: string, isPrefix: boolean): Promise<void> {
    const occupant = this.#present;
    if (occupant === undefined) return;
    const id = `${occupant.process.name}-${this.#parts.ledger.subscriptions.length}`;
    const subscription = isPrefix
      ? new TypePrefixSubscription(topic, this.agentType, id)
      : new TypeSubscription(topic, this.agentType, id);
    await this.#subscribe(occupant.process, occupant.worker, { subscription }).catch(() => undefined);
  }

  async removeSubscription(): Promise<void> {
    const [id, record] = [...this.#held].at(-1) ?? [];
    if (id === undefined || record === undefined || this.#present === undefined) return;
    this.#held.delete(id);
    const { process, worker } = this.#present;
    const { ledger } = this.#parts;
    // From the request on nothing is sure to come any more.
    record.confirmed = undefined;
    await ledger.follow(`${process.name} unsubscribe ${id}`, process, worker.removeSubscription(id)).then(
      () => {
        record.to = ledger.moment();
      },
      () => undefined,
    );
  }

  async registerMore(name: string): Promise<void> {
    const occupant = this.#present;
    if (occupant === undefined) return;
    const { process, worker } = occupant;
    const type = `${this.agentType}-${name}`;
    const registered = worker.registerFactory(type, () => this.#makeAgent(process));
    await this.#parts.ledger.follow(`${process.name} register ${type}`, process, registered).catch(() => undefined);
  }

  id(key: string): AgentId {
    return new AgentId(this.agentType, key);
  }

  #options(process: SimulatedProcess): ConstructorParameters<typeof WorkerRuntime>[0] {
    const { plant, ledger } = this.#parts;
    const { sequentialAgents, drainTimeoutMs, keepAliveMs, maxConcurrentHandlers, reconnects } = this.#plan;
    const { eventsWhileDisconnected, callsWhileDisconnected } = this.#plan;
    const { makeId } = process;
    const clock = plant?.keepsTimers ? keepingTimers(process.clock) : process.clock;
    const dice = this.#parts.simulation.dice.fork(process.name);
    const late = lateDialer(process.dialer, process.clock, () => this.#lateMs);
    const reader = aroundStreams(late, () => {
      this.#reader = new ReaderGate();
      return this.#reader;
    });
    const going = goAwayDialer(reader, (goAway) => {
      if (process.isAlive) this.#goAway = () => Promise.race([goAway(), process.killed]);
    });
    const tap = tapped(going, process.name, ledger);
    const stating = plant?.atStates === undefined ? tap : aroundStreams(tap, plant.atStates, states.path);
    const dialer = plant?.atWorker === undefined ? stating : aroundStreams(stating, plant.atWorker);
    const options: WorkerOptions = {
      clock,
      makeId,
      logger: silentLogger,
      cron: cronPatterns,
      sequentialAgents,
      drainTimeoutMs,
      startTimeoutMs: 5_000,
      registrationTimeoutMs: 5_000,
      controlTimeoutMs: 10_000,
      halfCloseWaitMs: 300,
      random: () => dice.next(),
      reconnect: reconnects && { maxDelayMs: 1_000 },
      whileDisconnected: { events: eventsWhileDisconnected, calls: callsWhileDisconnected },
      keepAliveMs,
      // A lost answer shows itself: nothing but the call's own bounds ends the wait for it.
      defaultTimeoutMs: Number.POSITIVE_INFINITY,
      keepAliveTimeoutMs: 9_000,
      maxConcurrentHandlers,
      ...(plant?.hidesRings && { stuckAfterMs: 0 }),
    };
    // A worker of a world without a store knows one host.
    const address = this.#parts.plan.kept.length === 0 ? [hostAddresses[0]] : hostAddresses;
    return { ...options, dialer, address };
  }

  async #declare(process: SimulatedProcess, worker: WorkerRuntime): Promise<void> {
    const { ledger } = this.#parts;
    if (this.#plan.sequentialAgents) ledger.sequentialTypes.add(this.agentType);
    if (Number.isFinite(this.#plan.maxConcurrentHandlers)) ledger.hasSlots = true;
    const options = this.#parts.plant?.mixesTurns ? ({ concurrency: "interleaved" } as const) : {};
    await worker.registerFactory(this.agentType, () => this.#makeAgent(process), options);
    for (const topic of this.#plan.topics) {
      const id = `${process.name}-${topic}`;
      await this.#subscribe(process, worker, { subscription: new TypeSubscription(topic, this.agentType, id) });
    }
    await this.#declareKept(process, worker);
  }

  async #declareKept(process: SimulatedProcess, worker: WorkerRuntime): Promise<void> {
    const { ledger, plan, plant } = this.#parts;
    for (const [index, { seats, topics, placement, idleAfterMs, maxLive, runAhead }] of plan.kept.entries()) {
      if (!seats.includes(this.index)) continue;
      const type = keptType(index);
      ledger.sequentialTypes.add(type);
      const { keptClass: expectedClass = KeptAgent, reusesAgents, keepsAll } = plant ?? {};
      const made = new Map<string, KeptAgent>();
      const make = ({ id }: { readonly id: AgentId }) => {
        const before = reusesAgents === true ? made.get(id.key) : undefined;
        const agent = before ?? new expectedClass({ ...this.#parts, seat: this.index, process });
        made.set(id.key, agent);
        return agent;
      };
      const life = keepsAll === true ? {} : { idleAfterMs, maxLive };
      const shared = seats.length > 1 ? { shared: true, placement } : {};
      await worker.registerFactory(type, make, { expectedClass, runAhead, ...life, ...shared });
      for (const topic of topics) {
        const id = `${process.name}-${topic}-${type}`;
        await this.#subscribe(process, worker, { subscription: new TypeSubscription(topic, type, id), type });
      }
      if (plan.tellsByEvents !== true) continue;
      const options = { id: `${process.name}-told-${type}`, durable: true };
      const subscription = new TypeSubscription(topicOfTells(new AgentId(type, "any")).type, type, options);
      await this.#subscribe(process, worker, { subscription, type, isDurable: true });
      ledger.kept.durableTypes.add(type);
    }
  }

  async #makeAgent(process: SimulatedProcess): Promise<SimulatedAgent> {
    const { simulation } = this.#parts;
    const { makeMs } = this.#plan;
    if (makeMs > 0) await new Promise<void>((resolve) => simulation.clock.setTimer(makeMs, resolve));
    return new SimulatedAgent({ ...this.#parts, seat: this.index, process }, this.#plan.sequentialAgents);
  }

  async #subscribe(
    process: SimulatedProcess,
    worker: WorkerRuntime,
    {
      subscription,
      type = this.agentType,
      isDurable = false,
    }: { readonly subscription: Subscription; readonly type?: string; readonly isDurable?: boolean },
  ): Promise<void> {
    const { ledger } = this.#parts;
    const record: SubscriptionRecord = {
      seat: this.index,
      process,
      agentType: type,
      matches: (topic) => subscription.isMatch(new TopicId(topic, "news")),
      asked: ledger.moment(),
      confirmed: undefined,
      to: undefined,
    };
    ledger.subscriptions.push(record);
    try {
      await ledger.follow(
        `${process.name} subscribe ${subscription.id}`,
        process,
        worker.addSubscription(subscription),
      );
      record.confirmed = ledger.moment();
      // One that is durable stays: what is told goes by it.
      if (this.#present?.process === process && !isDurable) this.#held.set(subscription.id, record);
    } catch (error) {
      // A request whose answer was lost may have been granted all the same, until the session ends.
      ledger.trace.note(`${subscription.id} may be there or not`);
      throw error;
    }
  }

  /** Starts the worker until it runs, and again when it has lost its host: what a user's own loop would do. */
  async #keepRunning(occupant: Occupant): Promise<void> {
    const { process, worker } = occupant;
    const { ledger } = this.#parts;
    const isWanted = () => this.#isWanted && process.isAlive && this.#present === occupant;
    while (isWanted()) {
      try {
        ledger.kept.start(process);
        await ledger.follow(`${process.name} start`, process, worker.start());
        const { by } = await worker.closed;
        if (by === "drained") this.disturbOwn();
        else if (isWanted() && this.#isUndisturbed()) {
          ledger.breach("failures", `${process.name} lost its host, and nothing was broken`);
        }
        if (by !== "drained") this.disturb();
        if (isWanted()) await ledger.follow(`${process.name} stop after loss`, process, endOf(worker));
      } catch {
        await this.#sleep(retryMs);
      }
    }
  }

  /** Asks an agent of its own, there and back through the host, until an answer comes that no disturbance can have overtaken. */
  async #watch(): Promise<void> {
    const { ledger } = this.#parts;
    while (this.#isWatched) {
      const before = this.#disturbances;
      const isWell = await this.#ping();
      // With two hosts nobody knows where the others are.
      if (isWell && before === this.#disturbances && this.#changes === 0 && !ledger.isDisturbed("host")) {
        this.#isWatched = false;
        ledger.recover(this.name);
        ledger.recover(sharedPart(this.name));
        return;
      }
      await this.#sleep(retryMs);
    }
  }

  async #ping(): Promise<boolean> {
    const { worker } = this.#present ?? {};
    if (worker === undefined || !worker.isRunning) return false;
    const answered = worker.sendMessage(Ping({}), this.id("ping"), { timeoutMs: 2_000 }).then(
      () => this.#present?.worker === worker && worker.isRunning,
      () => false,
    );
    // The worker of a process that is killed meanwhile says nothing any more.
    return Promise.race([answered, this.#sleep(5_000).then(() => false)]);
  }

  #isUndisturbed(): boolean {
    const { ledger } = this.#parts;
    return (
      [this.name, "host"].every((party) => !ledger.isDisturbed(party)) && ledger.overflow().overflowedChannels === 0
    );
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.simulation.clock.setTimer(ms, resolve));
  }

  /** Nothing is watched any more; the run is over. */
  retire(): void {
    this.#isWatched = false;
  }

  #vacate(): void {
    this.#present = undefined;
    this.#isWanted = false;
    this.#reader = undefined;
    const { ledger } = this.#parts;
    const to = ledger.moment();
    for (const record of ledger.subscriptions) if (record.seat === this.index) record.to ??= to;
    this.#held.clear();
  }
}
