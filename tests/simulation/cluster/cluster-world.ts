// Over 400 lines: a world plays all actions of its plan and checks what came of them, step by step.
import type { CoordinationStore } from "../../../src/cluster/index.ts";
import { type ClusterTimes, readClaim } from "../../../src/cluster/internal.ts";
import { type AgentName, type Logger, type MakeId, nextTurn } from "../../../src/core/internal.ts";
import { Dice, SimulatedClock, SimulatedCoordination } from "../../../src/testing/index.ts";
import type { DeletionFault } from "../mail/simulated-connection.ts";
import { WorldMail } from "../mail/world-mail.ts";
import { Balances } from "./balances.ts";
import { HostSeat } from "./host-seat.ts";
import { type ClusterBreach, type ClusterCall, type ClusterFigures, ClusterLedger } from "./ledger.ts";
import type { ClusterAction, ClusterActionKind, ClusterPlan } from "./plan.ts";
import { checkShardsSettled, shardsOfWorld } from "./shard-readers.ts";
import { checkLeaks, checkSettled, checkWrite } from "./store-checks.ts";
import { exclusiveType, sharedType } from "./types.ts";
import { type WorkerKind, WorkerSeat } from "./worker-seat.ts";

/** Changes that a planted bug makes around the real classes. */
export interface ClusterPlant {
  /** Wraps the store of each life. */
  readonly atStore?: (store: CoordinationStore) => CoordinationStore;
  /** The stores of states take whatever is saved. */
  readonly withoutFencing?: boolean;
  /** Clocks differ by up to so much in speed, in place of 1 %. */
  readonly clockRateSpread?: number;
  /** Requests that delete messages of the log meet no faults. */
  readonly withoutDeletionFaults?: boolean;
}

const deletionFaults: Partial<Record<ClusterActionKind, DeletionFault>> = {
  ...{ "lost-deletions": "lost", "late-deletions": "late", "double-deletions": "twice", "early-deletions": "early" },
};

export interface ClusterRunOptions {
  readonly keepsLines?: boolean;
  readonly plant?: ClusterPlant | undefined;
}

export interface ClusterReport {
  readonly seed: number;
  readonly breaches: readonly ClusterBreach[];
  readonly lines: readonly string[];
  readonly figures: ClusterFigures;
  readonly virtualMs: number;
}

const times: Partial<ClusterTimes> = {
  leaseMs: 10_000,
  claimUseMs: 30_000,
  claimRefreshMs: 9_000,
  recordsKeptMs: 130_000,
  nameKeptMs: 70_000,
};
const claimLifeMs = 65_000;
const healMs = 40_000;
const probeMs = 20_000;
/** Time in which workers have moved, and time in which none moves any more. */
const balanceMs = 60_000;
const quietMs = 60_000;
/** Time in which a call of a calm world is answered. */
const answeredMs = 15_000;
/** Time in which a life that was given up is declared dead, and its shards are taken. */
const deathMs = 15_000;
/** Time in which all mail is delivered and deleted. */
const mailMs = 60_000;
const maxSteps = 400_000;

/** Plays a plan and checks what a cluster promises. */
export async function runClusterPlan(plan: ClusterPlan, options: ClusterRunOptions = {}): Promise<ClusterReport> {
  const world = new ClusterWorld(plan, options);
  try {
    await world.run();
  } catch (error) {
    world.ledger.breach("crash", error instanceof Error ? `${error.stack}` : String(error));
  }
  const { breaches, lines, figures } = world.ledger;
  return { seed: plan.seed, breaches, lines, figures, virtualMs: world.clock.now() };
}

/** A world of hosts and workers, with one coordination store. */
export class ClusterWorld {
  readonly dice: Dice;
  readonly clock: SimulatedClock;
  readonly makeId: MakeId;
  readonly coordination: SimulatedCoordination;
  readonly ledger: ClusterLedger;
  readonly hosts: HostSeat[] = [];
  readonly workers: WorkerSeat[] = [];
  /** How far each shard was read: here the token of its last reader. */
  readonly reachedPlaces = new Map<number, number>();
  readonly times = times;
  /** Undefined: hosts do not balance their workers. */
  readonly balances: Balances | undefined;
  /** Undefined: hosts have no mail. */
  readonly mail: WorldMail | undefined;
  readonly logger: Logger = { debug: silent, info: silent, warn: silent, error: silent };
  readonly #plan: ClusterPlan;
  readonly #plant: ClusterPlant;
  readonly #cuts = new Set<string>();
  #isHealed = false;
  #calls = 0;
  #seats = 0;
  /** Pauses the client that gives an agent away next, at the moment at which its write happens. */
  #aimed: number | undefined;

  constructor(plan: ClusterPlan, { keepsLines = false, plant = {} }: ClusterRunOptions) {
    this.#plan = plan;
    this.#plant = plant;
    this.balances = plan.balances && new Balances(this, plan.balances === "calm");
    this.dice = new Dice(plan.seed, 1);
    this.clock = new SimulatedClock(this.dice.fork("clock"));
    const ids = this.dice.fork("ids");
    this.makeId = () => ids.id();
    this.ledger = new ClusterLedger(() => this.clock.now(), keepsLines, plant.withoutFencing !== true);
    this.mail =
      plan.mail &&
      new WorldMail({
        ...{ plan: plan.mail, clock: this.clock, dice: this.dice.fork("mail"), shards: shardsOfWorld },
        ...{ hosts: () => this.hosts, figures: this.ledger.figures },
        breach: (text) => this.ledger.breach("mail", text),
        line: (text) => this.ledger.line(text),
      });
    this.coordination = new SimulatedCoordination({
      ...{ clock: this.clock, dice: this.dice.fork("store"), claimLifeMs },
      onWritten: (write) => {
        checkWrite(this, write);
        this.balances?.written(write);
        const then = write.before && readClaim(write.before);
        if (this.#aimed !== undefined && then !== undefined && readClaim(write.entry)?.workerId !== then.workerId)
          this.#pauseAimed(write.client);
      },
    });
  }

  async run(): Promise<void> {
    const { hosts, troupeWorkers, stockWorkers, hasExclusive, faultyMs } = this.#plan;
    for (let count = 0; count < hosts; count += 1) this.#addHost();
    await this.#runFor(1_500);
    for (let count = 0; count < troupeWorkers; count += 1) this.#addWorker("troupe", [sharedType]);
    for (let count = 0; count < stockWorkers; count += 1) this.#addWorker("stock", [sharedType]);
    if (hasExclusive) this.#addWorker("troupe", [exclusiveType]);
    this.#callNext();
    this.mail?.begin();
    for (const action of this.#plan.actions) this.clock.setTimer(action.atMs, () => this.#act(action));
    await this.#runFor(faultyMs);
    this.#heal();
    await this.#runFor(healMs);
    await this.#letBalance();
    await this.#probe();
    await this.#untilAllServe();
    await this.#untilMailRests();
    await this.#restAsks();
    checkSettled(this);
    checkShardsSettled(this);
    if (!this.#plan.looksForLeaks) return;
    await this.#runFor((times.recordsKeptMs ?? 0) * 1.1);
    checkLeaks(this);
    await this.#restAsks();
    checkSettled(this);
  }

  plantAtStore(store: CoordinationStore): CoordinationStore {
    return this.#plant.atStore?.(store) ?? store;
  }

  pickHost(): HostSeat | undefined {
    const open = this.hosts.filter(({ takesWorkers }) => takesWorkers);
    return open.length === 0 ? undefined : this.dice.pick(open);
  }

  /** The first host of these that takes workers. */
  takingHost(addresses: readonly string[]): HostSeat | undefined {
    const name = addresses.find((address) =>
      this.hosts.some((host) => host.takesWorkers && `${host.name}:2` === address),
    );
    return this.hosts.find((host) => `${host.name}:2` === name);
  }

  hostOf(hostId: string | undefined): HostSeat | undefined {
    return this.hosts.find(({ isLive, member }) => isLive && member.hostId === hostId);
  }

  isReached(from: HostSeat, to: HostSeat): boolean {
    return !this.#cuts.has(pairOf(from, to));
  }

  /** The id under which a worker is known to the cluster now. */
  workerIdOf(worker: WorkerSeat): string {
    if (worker.kind === "troupe") return worker.workerId;
    return worker.host?.member.knownWorkers.stockWorkerOf(worker.name) ?? worker.name;
  }

  /** A worker process has ended. Another takes its place, for the type must go on. */
  ended(worker: WorkerSeat): void {
    const waitMs = this.#isHealed ? 100 : this.dice.between(100, 8_000);
    this.clock.setTimer(waitMs, () => {
      const name = worker.kind === "stock" && this.dice.chance(0.5) ? worker.name : undefined;
      this.#addWorker(worker.kind, worker.types, name);
    });
  }

  #addHost(): void {
    this.#seats += 1;
    const host = new HostSeat(this, `host-${this.#seats}`, this.#rate());
    this.hosts.push(host);
    host.start();
  }

  #addWorker(kind: WorkerKind, types: readonly string[], name?: string): void {
    this.#seats += 1;
    const worker = new WorkerSeat(this, name ?? `worker-${this.#seats}`, kind, types, this.#rate());
    this.workers.push(worker);
    worker.start();
  }

  #rate(): number {
    const { clockRates } = this.#plan;
    const rate = clockRates[this.#seats % clockRates.length] ?? 1;
    return 1 + (rate - 1) * ((this.#plant.clockRateSpread ?? 0.01) / 0.01);
  }

  #act(action: ClusterAction): void {
    if (this.#isHealed) return;
    const { kind, forMs } = action;
    const host = this.#liveHosts()[action.who % Math.max(1, this.#liveHosts().length)];
    const worker = this.#liveWorkers()[action.who % Math.max(1, this.#liveWorkers().length)];
    const later = (run: () => void) => this.clock.setTimer(forMs, run);
    this.ledger.line(() => `ACTION ${kind} ${host?.name}/${worker?.name} for ${forMs}`);
    switch (kind) {
      case "kill-host":
        host?.kill();
        later(() => this.#addHost());
        return;
      case "add-host":
        this.#addHost();
        return;
      case "leave-host":
        // In a calm world one host stays.
        if (this.#isCalm && this.hosts.filter(({ takesWorkers }) => takesWorkers).length < 2) return;
        void host?.leave();
        later(() => this.#addHost());
        return;
      case "pause-host":
        host?.clock.pause();
        later(() => host?.clock.resume());
        return;
      case "cut-store":
        if (host === undefined) return;
        this.coordination.cutOff(host.name);
        this.mail?.cut(host);
        later(() => {
          this.coordination.connect(host.name);
          this.mail?.join(host);
        });
        return;
      case "store-away":
        this.coordination.goAway();
        this.mail?.cutAll();
        later(() => {
          this.coordination.comeBack();
          this.mail?.joinAll();
        });
        return;
      case "lost-deletions":
      case "late-deletions":
      case "double-deletions":
      case "early-deletions": {
        const fault = deletionFaults[kind];
        if (fault !== undefined && this.#plant.withoutDeletionFaults !== true) this.mail?.breakDeletions(fault, forMs);
        return;
      }
      case "lose-mail":
        this.mail?.loseAll();
        return;
      case "cut-hosts": {
        const other = this.#liveHosts()[action.other % Math.max(1, this.#liveHosts().length)];
        if (host === undefined || other === undefined) return;
        this.#cuts.add(pairOf(host, other));
        this.#cuts.add(pairOf(other, host));
        later(() => this.#cuts.clear());
        return;
      }
      case "set-clock":
        host?.clock.setWallForward(action.other % 2 === 0 ? forMs : -forMs);
        worker?.clock.setWallForward(action.other % 3 === 0 ? forMs : -forMs);
        return;
      case "kill-worker":
        worker?.kill();
        if (worker !== undefined) this.ended(worker);
        return;
      case "pause-worker":
        worker?.clock.pause();
        later(() => worker?.clock.resume());
        return;
      case "cut-worker":
        worker?.channel?.cut(false);
        return;
      case "silence-worker":
        worker?.channel?.cut(true);
        return;
      case "stop-worker":
        worker?.stop();
        return;
      case "move":
        this.#move(action);
        return;
      case "aimed-pause":
        this.#aimed = forMs;
        this.#move(action);
        return;
      case "reset-watches":
        this.coordination.resetWatches();
        return;
      case "forget":
        this.ledger.forgot();
        this.coordination.forget(1 + (action.other % 20));
    }
  }

  /** Moves an agent from whichever worker has it. */
  #move({ who, other }: ClusterAction): void {
    const workers = this.#liveWorkers().filter(({ types }) => types.includes(sharedType));
    for (let count = 0; count < this.#plan.agents; count += 1) {
      const agent = this.#agent(who + count);
      const host = this.#liveHosts().find(({ member }) => member.claims.find(agent) !== undefined);
      const from = host?.member.claims.find(agent)?.workerId;
      const ids = workers.map((worker) => this.workerIdOf(worker)).filter((id) => id !== from);
      const to = ids[other % Math.max(1, ids.length)];
      if (host === undefined || to === undefined) continue;
      void host.move(agent, to);
      return;
    }
  }

  #pauseAimed(client: string): void {
    const forMs = this.#aimed ?? 0;
    const host = this.hosts.find(({ name, isLive }) => isLive && name === client);
    if (host === undefined || this.#isHealed) return;
    this.#aimed = undefined;
    host.clock.pause();
    this.clock.setTimer(forMs, () => host.clock.resume());
  }

  #heal(): void {
    this.ledger.line(() => "HEAL");
    this.#isHealed = true;
    this.#aimed = undefined;
    this.#cuts.clear();
    this.coordination.comeBack();
    this.mail?.heal();
    for (const host of this.hosts) {
      this.coordination.connect(host.name);
      host.clock.resume();
    }
    for (const worker of this.workers) worker.clock.resume();
    while (this.#liveHosts().filter(({ takesWorkers }) => takesWorkers).length < 2) this.#addHost();
  }

  get #isCalm(): boolean {
    return this.#plan.balances === "calm";
  }

  /** Workers have time to move. Then no host has many more than the others, and none moves any more. */
  async #letBalance(): Promise<void> {
    if (this.balances === undefined) return;
    await this.#runFor(balanceMs);
    this.balances.checkEven();
    this.balances.quiet();
    await this.#runFor(quietMs);
  }

  /** Every agent answers through every host. */
  async #probe(): Promise<void> {
    const probes: Promise<void>[] = [];
    for (const host of this.hosts) {
      if (!host.takesWorkers) continue;
      for (let number = 0; number < this.#plan.agents; number += 1) probes.push(this.#ask(host, this.#agent(number)));
    }
    const all = Promise.all(probes);
    let isOver = false;
    void all.then(() => {
      isOver = true;
    });
    const endMs = this.clock.now() + probeMs;
    while (!isOver && this.clock.now() < endMs) await this.#step();
    if (!isOver)
      this.ledger.breach("settled", "some agents do not answer through some hosts, after everything is healed");
    // What runs on behind the answers ends.
    await this.#runFor(5_000);
  }

  /** A host whose renewals were slow may just have been isolated. It serves again, and takes its shards within a second. */
  async #untilAllServe(): Promise<void> {
    const areServing = () => this.hosts.every(({ takesWorkers, member }) => !takesWorkers || member.isServing);
    const endMs = this.clock.now() + 20_000;
    while (!areServing() && this.clock.now() < endMs) await this.#step();
    await this.#runFor(2_500);
    // One that has learnt only now that the store had forgotten writes takes its shards when the life before it is declared dead.
    const lives = this.hosts.filter(({ takesWorkers }) => takesWorkers);
    const deadMs = Math.max(0, ...lives.map(({ lifeBeganMs }) => lifeBeganMs)) + deathMs;
    if (deadMs > this.clock.now()) await this.#runFor(deadMs - this.clock.now());
  }

  /** What was sent is delivered, and deleted. */
  async #untilMailRests(): Promise<void> {
    const { mail } = this;
    const endMs = this.clock.now() + mailMs;
    while (mail !== undefined && !mail.isAtRest && this.clock.now() < endMs) await this.#step();
    mail?.ledger.check();
  }

  /** Renewals and refreshes go on without an end; a moment comes at which none is under way, unless one hangs. */
  async #restAsks(): Promise<void> {
    const endMs = this.clock.now() + 10_000;
    const isBusy = () => this.hosts.some(({ takesWorkers, member }) => takesWorkers && member.underWay > 0);
    while (isBusy() && this.clock.now() < endMs) await this.#step();
  }

  /** Calls an agent until it answers. */
  async #ask(host: HostSeat, agent: AgentName): Promise<void> {
    for (;;) {
      if ((await this.#call(host, agent, 5)) === "answered") return;
      await new Promise<void>((resolve) => this.clock.setTimer(300, resolve));
    }
  }

  #callNext(): void {
    const { callEveryMs, agents } = this.#plan;
    this.clock.setTimer(this.dice.between(1, 2 * callEveryMs), () => {
      if (this.#isHealed) return;
      const hosts = this.#isCalm ? this.hosts.filter(({ takesWorkers }) => takesWorkers) : this.#liveHosts();
      const turnMs = this.dice.chance(0.05) ? this.dice.between(1_000, 5_000) : this.dice.between(0, 100);
      if (hosts.length > 0) {
        const [host, agent] = [this.dice.pick(hosts), this.#agent(this.dice.between(0, agents - 1))];
        void (this.#isCalm ? this.#callCalmly(host, agent, turnMs) : this.#call(host, agent, turnMs));
      }
      this.#callNext();
    });
  }

  /** Calls an agent of a calm world: what is sent is answered, and what is not sent can be sent soon. */
  async #callCalmly(host: HostSeat, agent: AgentName, turnMs: number): Promise<void> {
    // The first workers register.
    if (this.clock.now() < 5_000) return;
    const endMs = this.clock.now() + answeredMs;
    let by: HostSeat | undefined = host;
    for (;;) {
      const outcome = by === undefined ? "undeliverable" : await this.#call(by, agent, turnMs);
      if (outcome === "answered") return;
      if (outcome === "lost" || this.clock.now() > endMs) {
        this.ledger.breach("calls", `a call of ${agent.type}/${agent.key} by ${by?.name} is ${outcome}`);
        return;
      }
      await new Promise<void>((resolve) => this.clock.setTimer(300, resolve));
      by = host.takesWorkers ? host : this.pickHost();
    }
  }

  #call(host: HostSeat, agent: AgentName, turnMs: number): Promise<string> {
    this.#calls += 1;
    const number = this.#calls;
    this.ledger.figures.calls += 1;
    return new Promise((resolve) => {
      // A call whose host or worker is lost has no answer; its caller would see that.
      const limit = this.clock.setTimer((this.#isCalm ? answeredMs : 4_000) + turnMs, () => resolve("lost"));
      const call: ClusterCall = {
        ...{ number, agent, turnMs },
        settle: (outcome) => {
          limit.cancel();
          if (outcome === "answered") this.ledger.figures.answered += 1;
          resolve(outcome);
        },
      };
      host.clock.setTimer(0, () => void host.route(call, undefined, 0));
    });
  }

  #agent(number: number): AgentName {
    const key = String(number % this.#plan.agents);
    return { type: this.#plan.hasExclusive && number % 4 === 3 ? exclusiveType : sharedType, key };
  }

  #liveHosts(): HostSeat[] {
    return this.hosts.filter(({ isLive }) => isLive);
  }

  #liveWorkers(): WorkerSeat[] {
    return this.workers.filter(({ isLive }) => isLive);
  }

  async #runFor(ms: number): Promise<void> {
    let isOver = false;
    this.clock.setTimer(ms, () => {
      isOver = true;
    });
    await nextTurn();
    while (!isOver) await this.#step();
  }

  #steps = 0;

  async #step(): Promise<void> {
    this.#steps += 1;
    if (this.#steps > maxSteps) throw new Error(`The world has not come to rest after ${maxSteps} steps.`);
    this.clock.runNext();
    await nextTurn();
  }
}

function silent(): void {}

function pairOf(from: HostSeat, to: HostSeat): string {
  return `${from.name} ${to.name}`;
}
