// Over 400 lines: a host of the worlds answers all messages of workers and of other hosts.
import {
  ClusterMember,
  type LifeEnd,
  preferred,
  type SessionEnd,
  type WorkerSession,
} from "../../../src/cluster/internal.ts";
import { type AgentName, compareEpochs, type Epoch } from "../../../src/core/internal.ts";
import type { WorkerBalance } from "../../../src/host/membership/worker-balance.ts";
import { ProcessClock } from "../../../src/testing/index.ts";
import type { HostMail } from "../mail/host-mail.ts";
import { balanceOf } from "./balances.ts";
import { Channel, type ChannelEnd } from "./channel.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { ClusterCall } from "./ledger.ts";
import type { ToHost, ToWorker } from "./messages.ts";
import { shardUseOf } from "./shard-readers.ts";
import { isShared } from "./types.ts";
import type { WorkerSeat } from "./worker-seat.ts";

/** A worker's channel at its host. */
export interface Connection {
  readonly worker: WorkerSeat;
  readonly channel: Channel<ToHost, ToWorker>;
  readonly ended: AbortController;
  clientId: string;
  session: WorkerSession | undefined;
  /** Whether its worker goes to another host, so that this one sends it nothing. */
  isGoing: boolean;
}

/** Times that a call is looked up anew, and passed on to another host. */
const mostLooks = 6;
/** How often, and after how many milliseconds each, a call is looked up again whose worker goes to another host. */
const mostWaits = 160;
const waitMs = 50;
/** Milliseconds for which a host that leaves waits for its workers, and for the calls that it routes. */
const leaveWaitMs = 8_000;
/** The longest time for which an agent is frozen. */
const mostThawMs = 3_000;

/** A host process of the world: its memberships, one after the other, and the channels of its workers. */
export class HostSeat {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly #world: ClusterWorld;
  readonly #connections = new Set<Connection>();
  readonly #bySession = new Map<string, Connection>();
  readonly #moves = new Map<string, { readonly epoch: Epoch; readonly give: () => void }>();
  /** The epoch under which each agent was let go, when its host had asked for that. */
  readonly #letGo = new Map<string, { readonly epoch: Epoch; readonly session: WorkerSession }>();
  /** The shards of the mail that it reads. */
  readonly reading = new Set<number>();
  readonly mail: HostMail | undefined;
  /** When its present life began, by the clock of the world. */
  lifeBeganMs = 0;
  #member!: ClusterMember;
  #isLeaving = false;
  readonly #balance: WorkerBalance | undefined;
  #routing = 0;

  constructor(world: ClusterWorld, name: string, rate: number) {
    this.#world = world;
    this.name = name;
    this.clock = new ProcessClock(world.clock, { rate });
    this.mail = world.mail?.of(name, this.clock);
    if (world.balances !== undefined) this.#balance = balanceOf(world, this, this.#connections);
  }

  get member(): ClusterMember {
    return this.#member;
  }

  get isLive(): boolean {
    return this.clock.isAlive;
  }

  get takesWorkers(): boolean {
    return this.isLive && !this.#isLeaving;
  }

  get moving(): number {
    return this.#moves.size;
  }

  start(): void {
    this.#beginLife();
    this.#balance?.start();
  }

  kill(): void {
    this.clock.kill();
    this.#addFigures();
    for (const { channel } of this.#connections) channel.cut(false);
    this.#connections.clear();
  }

  /** Leaves the cluster in order. */
  async leave(): Promise<void> {
    if (!this.takesWorkers) return;
    this.#isLeaving = true;
    const member = this.#member;
    this.#balance?.stop();
    await member.drain();
    if (this.#balance !== undefined) await this.#sendAllAway();
    void member.handOverShards();
    for (const connection of [...this.#connections]) this.#drop(connection);
    await member.leave();
    this.clock.kill();
  }

  /** Asks its workers to go to other hosts, and waits until they have got their answers off. */
  async #sendAllAway(): Promise<void> {
    const others = this.#world.hosts.filter((host) => host !== this && host.takesWorkers);
    const addresses = others.map(({ name }) => `${name}:2`);
    const workers = () => [...this.#connections].filter(({ worker }) => worker.kind === "troupe");
    for (const { channel, isGoing } of workers()) if (!isGoing) channel.toWorker({ at: "go", addresses });
    for (let waitedMs = 0; waitedMs < leaveWaitMs && workers().length + this.#routing > 0; waitedMs += waitMs)
      await this.#pause(waitMs);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(ms, resolve));
  }

  accept(worker: WorkerSeat, end: ChannelEnd<ToWorker>): Channel<ToHost, ToWorker> {
    const { clock, dice } = this.#world;
    const channel: Channel<ToHost, ToWorker> = new Channel({
      clock,
      dice,
      worker: end,
      host: {
        clock: this.clock,
        onMessage: (message) => this.#take(connection, message),
        onLost: () => this.#lost(connection, "lost"),
      },
    });
    const connection: Connection = {
      worker,
      channel,
      ended: new AbortController(),
      clientId: "",
      session: undefined,
      isGoing: false,
    };
    if (this.takesWorkers) this.#connections.add(connection);
    else channel.cut(false);
    return channel;
  }

  /** Whether it may send messages to a worker by the channel that the worker reads. */
  mayReach(worker: WorkerSeat, workerId: string): boolean {
    const connection = this.#connectionOf(workerId);
    return connection !== undefined && connection.channel === worker.channel;
  }

  /** Routes a call: to a worker of this host, or on to another host. */
  async route(call: ClusterCall, hint: string | undefined, hops: number): Promise<void> {
    this.#routing += 1;
    await this.#route(call, hint, hops);
    this.#routing -= 1;
  }

  async #route(call: ClusterCall, hint: string | undefined, hops: number): Promise<void> {
    const { agent } = call;
    let waits = 0;
    for (let looks = 0; looks < mostLooks; looks += 1) {
      const member = this.#member;
      if (!this.isLive || !member.isServing) return call.settle("undeliverable");
      const place = isShared(agent.type) ? this.#placeOf(agent, hint) : member.types.ownerOf(agent.type);
      if (place === undefined) return call.settle("undeliverable");
      const connection = this.#connectionOf(place.workerId);
      if (connection === undefined) return this.#passOn(call, place.workerId, hops);
      if (connection.isGoing && waits < mostWaits) {
        waits += 1;
        looks -= 1;
        await this.#pause(waitMs);
        continue;
      }
      if (place.epoch !== undefined) return this.#send(connection, call, place.epoch);
      const outcome = await member.claims.claim(agent, place.workerId);
      // Rule R2: whatever was claimed, what holds now is looked up anew.
      if (outcome.at === "elsewhere") hint = outcome.workerId;
      else if (outcome.at !== "held") return call.settle("undeliverable");
    }
    call.settle("undeliverable");
  }

  /** Moves an agent that this host has to another worker. */
  async move(agent: AgentName, to: string): Promise<void> {
    const member = this.#member;
    const claim = member.claims.find(agent);
    const connection = claim && this.#connectionOf(claim.workerId);
    const name = `${agent.type}/${agent.key}`;
    if (claim === undefined || connection === undefined || claim.workerId === to || this.#moves.has(name)) return;
    if (connection.worker.kind === "stock") return;
    const move = await member.claims.freeze(agent);
    if (move === undefined || this.#member !== member) return;
    const timer = this.clock.setTimer(this.#world.dice.between(5, mostThawMs), () => {
      move.thaw();
      if (move.isOver) this.#moves.delete(name);
    });
    const give = () => {
      timer.cancel();
      void move.give(to).then((outcome) => {
        this.#world.ledger.line(() => `${this.name} gives ${name} to ${to.slice(0, 8)}: ${outcome}`);
        this.#moves.delete(name);
      });
    };
    this.#moves.set(name, { epoch: claim.epoch, give });
    connection.channel.toWorker({ at: "let-go", agent, epoch: claim.epoch });
  }

  #letGone({ agent, epoch }: Extract<ToHost, { at: "let-gone" }>, session: WorkerSession): void {
    const name = `${agent.type}/${agent.key}`;
    const move = this.#moves.get(name);
    if (move === undefined || compareEpochs(move.epoch, epoch) !== 0) return;
    this.#letGo.set(name, { epoch, session });
    move.give();
  }

  /** A worker has let an agent go after its host had given the move up: the next call claims the agent under a new epoch. */
  async #claimAnew(agent: AgentName, epoch: Epoch): Promise<void> {
    const { claims } = this.#member;
    const name = `${agent.type}/${agent.key}`;
    const claim = claims.find(agent);
    if (claim === undefined || compareEpochs(claim.epoch, epoch) !== 0 || this.#moves.has(name)) return;
    const move = await claims.freeze(agent);
    if (claims.present(agent)?.epoch.number === epoch.number) move?.sleep();
    else move?.thaw();
  }

  #beginLife(): void {
    const { coordination, ledger, times, makeId } = this.#world;
    const store = this.#world.plantAtStore(coordination.client(this.name, this.clock));
    const member = new ClusterMember({
      store,
      host: { label: this.name, peerAddress: `${this.name}:1`, workerAddress: `${this.name}:2` },
      times,
      clock: this.clock,
      makeId,
      shards: shardUseOf(this.#world, this),
      logger: this.#world.logger,
      listener: {
        onServing: (isServing) => {
          ledger.line(() => `${this.name} ${isServing ? "serves" : "is isolated"}`);
          // It knows its claims no more.
          if (!isServing) this.#letGo.clear();
          if (!isServing && this.reading.size > 0)
            ledger.breach("shards", `${this.name} is isolated, and reads shards`);
        },
        onWorker: ({ workerId, state, hostId, session }) =>
          ledger.line(
            () =>
              `${this.name} learns: ${workerId.slice(0, 8)} is ${state} at ${hostId.slice(0, 8)}, session ${session}`,
          ),
      },
    });
    this.#member = member;
    ledger.figures.lives += 1;
    this.lifeBeganMs = this.#world.clock.now();
    ledger.line(() => `${this.name} begins life ${member.hostId.slice(0, 8)}`);
    void member.start();
    void member.ended.then((end) => this.#lifeEnded(member, end));
  }

  #lifeEnded(member: ClusterMember, end: LifeEnd): void {
    this.#world.ledger.line(() => `${this.name}: life ${member.hostId.slice(0, 8)} is over, ${end}`);
    this.#addFigures();
    if (this.#isLeaving || !this.isLive || end === "left") return;
    this.#moves.clear();
    for (const connection of [...this.#connections]) {
      if (connection.worker.kind === "troupe") this.#drop(connection);
    }
    this.#beginLife();
    // Stock workers never come back by themselves: they join again by the channels that they have.
    for (const connection of this.#connections) {
      connection.session = undefined;
      if (connection.clientId !== "") void this.#joinAgain(connection);
    }
  }

  async #joinAgain(connection: Connection): Promise<void> {
    const member = this.#member;
    while (!connection.ended.signal.aborted && this.#member === member && this.isLive) {
      if (await this.#joinStock(connection)) return;
      await new Promise<void>((resolve) => this.clock.setTimer(500, resolve));
    }
  }

  #addFigures(): void {
    const { figures } = this.#world.ledger;
    const { claims, moves, burials, deathsDeclared, joins, rejoins, isolations, storeRegressions } =
      this.#member.counters;
    figures.claims += claims;
    figures.moves += moves;
    figures.burials += burials;
    figures.deaths += deathsDeclared;
    figures.joins += joins;
    figures.rejoins += rejoins;
    figures.isolations += isolations;
    figures.regressions += storeRegressions;
  }

  #take(connection: Connection, message: ToHost): void {
    const { channel, session } = connection;
    switch (message.at) {
      case "open":
        connection.clientId = message.clientId;
        if (connection.worker.kind === "stock") void this.#joinAgain(connection);
        else void this.#join(connection, message);
        return;
      case "ask-lease": {
        const ms = session?.grantLease();
        if (ms !== undefined) channel.toWorker({ at: "lease", request: message.request, ms });
        return;
      }
      case "let-gone":
        // Only the session that was asked has let it go.
        if (session?.isCurrent === true) this.#letGone(message, session);
        return;
      case "going":
        connection.isGoing = true;
        channel.toWorker({ at: "all-sent" });
        return;
      case "goodbye":
        this.#lost(connection, "left");
        return;
      case "done":
        message.call.settle("answered");
        return;
      case "not-taken":
        message.call.settle("not-taken");
        if (message.gone !== undefined && session?.isCurrent === true)
          void this.#claimAnew(message.call.agent, message.gone);
    }
  }

  async #join(connection: Connection, open: Extract<ToHost, { at: "open" }>): Promise<void> {
    const { workerId, session, clientId } = open;
    const outcome = await this.#member.workers.join(
      { workerId, session, clientId, kind: "troupe", ...undescribed },
      { signal: connection.ended.signal, onOver: (end) => this.#over(connection, end) },
    );
    this.#joined(connection, outcome);
  }

  async #joinStock(connection: Connection): Promise<boolean> {
    const outcome = await this.#member.workers.joinStock(
      { clientId: connection.clientId, ...undescribed },
      { signal: connection.ended.signal, onOver: (end) => this.#over(connection, end) },
    );
    if (outcome.at === "unavailable") return false;
    this.#joined(connection, outcome);
    return true;
  }

  #joined(connection: Connection, outcome: Awaited<ReturnType<ClusterMember["workers"]["join"]>>): void {
    this.#world.ledger.line(() => `${this.name}: join of ${connection.worker.name} is ${outcome.at}`);
    if (outcome.at !== "joined") {
      if (outcome.at === "void") connection.channel.toWorker({ at: "void" });
      this.#drop(connection);
      return;
    }
    connection.session = outcome.session;
    this.#bySession.set(outcome.session.workerId, connection);
    connection.channel.toWorker({ at: "joined" });
    for (const type of connection.worker.types) void this.#register(connection, outcome.session, type);
  }

  async #register(connection: Connection, session: WorkerSession, type: string): Promise<void> {
    while (!session.isOver && connection.session === session && this.isLive) {
      const { types } = this.#member;
      const outcome = isShared(type)
        ? await types.registerShared(type, session, "")
        : await types.registerExclusive(type, session);
      this.#world.ledger.line(() => `${this.name}: ${connection.worker.name} registers ${type}: ${outcome.at}`);
      if (outcome.at === "registered") return;
      await new Promise<void>((resolve) => this.clock.setTimer(1_000, resolve));
    }
  }

  #over(connection: Connection, end: SessionEnd): void {
    this.#world.ledger.line(() => `${this.name}: session of ${connection.worker.name} is over, ${end}`);
    if (end === "ended" || end === "life-over") return;
    // Its worker answers on it what it has.
    if (end === "elsewhere" && connection.isGoing) return;
    connection.session = undefined;
    if (end === "void" && connection.worker.kind === "troupe") connection.channel.toWorker({ at: "void" });
    // A stock worker whose host was declared dead joins again, as another worker.
    if (end === "void" && connection.worker.kind === "stock") void this.#joinAgain(connection);
    else this.#drop(connection);
  }

  /** Ends a channel; the worker finds another host. */
  #drop(connection: Connection): void {
    connection.channel.endByHost();
    this.#lost(connection, "lost");
  }

  #lost(connection: Connection, how: "left" | "lost"): void {
    if (!this.#connections.delete(connection)) return;
    connection.ended.abort();
    const { session } = connection;
    if (session === undefined) return;
    if (this.#bySession.get(session.workerId) === connection) this.#bySession.delete(session.workerId);
    // A stock worker never comes back.
    void this.#member.workers.end(session, connection.worker.kind === "stock" ? "left" : how);
  }

  #connectionOf(workerId: string): Connection | undefined {
    const session = this.#member.workers.current(workerId);
    const connection = this.#bySession.get(workerId);
    return session !== undefined && connection?.session === session ? connection : undefined;
  }

  /** The worker that has an agent, or a guess. An epoch says that this host has claimed it for that worker. */
  #placeOf(agent: AgentName, hint: string | undefined): { workerId: string; epoch?: Epoch } | undefined {
    const claim = this.#member.claims.find(agent);
    if (claim !== undefined) return { workerId: claim.workerId, epoch: claim.epoch };
    if (hint !== undefined && this.#member.knownWorkers.isHere(hint)) return { workerId: hint };
    const servers = this.#member.types.serversOf(agent.type).map(({ workerId }) => workerId);
    const workerId = preferred(servers, `${agent.type}/${agent.key}`);
    return workerId === undefined ? undefined : { workerId };
  }

  #passOn(call: ClusterCall, workerId: string, hops: number): void {
    const hostId = this.#member.knownWorkers.get(workerId)?.record.hostId;
    const host = this.#world.hostOf(hostId);
    if (host === undefined || host === this || hops >= 3 || !this.#world.isReached(this, host))
      return call.settle("undeliverable");
    this.#world.clock.setTimer(this.#world.dice.between(0, 3), () => {
      host.clock.setTimer(0, () => void host.route(call, workerId, hops + 1));
    });
  }

  #send(connection: Connection, call: ClusterCall, epoch: Epoch): void {
    const { worker, channel, session } = connection;
    const name = `${call.agent.type}/${call.agent.key}`;
    const gone = this.#letGo.get(name);
    if (gone !== undefined && gone.session === session && compareEpochs(epoch, gone.epoch) === 0)
      this.#world.ledger.breach(
        "activation",
        `${this.name} sends to ${name} under an epoch whose worker has let it go`,
      );
    if (worker.kind === "stock" && session !== undefined && channel.reachesWorker)
      this.#world.ledger.started(call.agent, session.workerId, epoch, "send");
    channel.toWorker({ at: "call", call, epoch });
  }
}

const undescribed = { name: "", version: "", labels: {}, principal: "" };
