import { WorkerLease } from "../../../src/cluster/internal.ts";
import { type AgentName, compareEpochs, type Epoch } from "../../../src/core/internal.ts";
import { ProcessClock } from "../../../src/testing/index.ts";
import type { Channel, ChannelEnd } from "./channel.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { HostSeat } from "./host-seat.ts";
import type { ClusterCall } from "./ledger.ts";
import type { ToHost, ToWorker } from "./messages.ts";

export type WorkerKind = "troupe" | "stock";

/** Time after which a worker asks again for its lease. */
const leaseEveryMs = 1_000;
/** How long a message waits for a lease before it goes back. */
const leaseWaitMs = 2_000;

/** After this time without an answer of its host a worker goes to another one all the same. */
const goWaitMs = 5_000;

/** A worker process of the world. */
export class WorkerSeat {
  readonly name: string;
  readonly kind: WorkerKind;
  readonly types: readonly string[];
  readonly clock: ProcessClock;
  readonly #world: ClusterWorld;
  readonly #lease: WorkerLease;
  /** Turns that run, by agent. */
  readonly #running = new Map<string, number>();
  #leaving = new Map<string, { readonly agent: AgentName; readonly epoch: Epoch }>();
  /** The newest epoch under which each agent was let go. */
  readonly #gone = new Map<string, Epoch>();
  #channel: Channel<ToHost, ToWorker> | undefined;
  #host: HostSeat | undefined;
  #workerId: string;
  #session = 0;
  #isStopping = false;
  /** The hosts to which the worker goes when its host has sent all, and when no message waits for a lease. */
  #goal: readonly string[] | undefined;
  #hasAll = false;
  /** Channels that the worker has left for another host. It answers there what came by them. */
  readonly #older = new Set<Channel<ToHost, ToWorker>>();
  readonly #turnsOf = new Map<Channel<ToHost, ToWorker>, number>();
  #isEnded = false;
  #waiting = 0;

  constructor(world: ClusterWorld, name: string, kind: WorkerKind, types: readonly string[], rate: number) {
    this.#world = world;
    this.name = name;
    this.kind = kind;
    this.types = types;
    this.clock = new ProcessClock(world.clock, { rate });
    this.#lease = new WorkerLease(this.clock);
    this.#workerId = world.makeId();
  }

  /** Its id; of a stock worker the one that its host has made. */
  get workerId(): string {
    return this.#workerId;
  }

  get isLive(): boolean {
    return this.clock.isAlive && !this.#isEnded;
  }

  get mayStartTurns(): boolean {
    return this.isLive && this.kind === "troupe" && this.#lease.isHeld;
  }

  /** Turns that run. */
  get turns(): number {
    return this.#running.size;
  }

  get channel(): Channel<ToHost, ToWorker> | undefined {
    return this.#channel;
  }

  get host(): HostSeat | undefined {
    return this.#host;
  }

  start(): void {
    this.#connect();
    if (this.kind === "troupe") this.#askLease();
  }

  kill(): void {
    this.clock.kill();
    for (const channel of this.#older) channel.cut(false);
    this.#channel?.cut(false);
  }

  /** Stops in order: what runs ends, then its host is told. */
  stop(): void {
    this.#isStopping = true;
    this.#endIfIdle();
  }

  #connect(addresses: readonly string[] = []): void {
    if (!this.isLive) return;
    const host = this.#world.takingHost(addresses) ?? this.#world.pickHost();
    if (host === undefined) {
      this.clock.setTimer(500, () => this.#connect());
      return;
    }
    this.#session += 1;
    this.#host = host;
    this.#lease.end();
    const end: ChannelEnd<ToWorker> = {
      clock: this.clock,
      onMessage: (message) => {
        if (this.#channel === channel) this.#take(message, channel);
      },
      onLost: () => {
        if (this.#channel === channel) this.#lost();
      },
    };
    const channel: Channel<ToHost, ToWorker> = host.accept(this, end);
    this.#channel = channel;
    const { name, workerId, kind } = this;
    this.#world.ledger.line(
      () => `${name} (${kind} ${workerId.slice(0, 8)}) opens session ${this.#session} at ${host.name}`,
    );
    channel.toHost({ at: "open", workerId, session: this.#session, clientId: name });
  }

  #go(addresses: readonly string[], channel: Channel<ToHost, ToWorker>): void {
    if (this.#isStopping || this.#goal !== undefined) return;
    this.#goal = addresses;
    this.#hasAll = false;
    channel.toHost({ at: "going" });
    this.clock.setTimer(goWaitMs, () => {
      if (this.#channel !== channel || this.#goal === undefined) return;
      this.#hasAll = true;
      this.#goOn();
    });
  }

  /** Opens a session at another host, and ends the channel that it leaves behind the last answer. */
  #goOn(): void {
    const channel = this.#channel;
    const addresses = this.#goal;
    if (channel === undefined || addresses === undefined || !this.#hasAll || this.#waiting > 0) return;
    this.#goal = undefined;
    this.#leaving.clear();
    this.#older.add(channel);
    this.#connect(addresses);
    this.#endOlder(channel);
  }

  #endOlder(channel: Channel<ToHost, ToWorker>): void {
    if (!this.#older.has(channel) || (this.#turnsOf.get(channel) ?? 0) > 0) return;
    this.#older.delete(channel);
    this.#turnsOf.delete(channel);
    channel.endByWorker();
  }

  #lost(): void {
    this.#channel = undefined;
    this.#goal = undefined;
    this.#lease.end();
    this.#leaving.clear();
    this.#world.ledger.line(() => `${this.name} has lost its host`);
    if (this.kind === "stock") {
      this.#isEnded = true;
      this.clock.kill();
      this.#world.ended(this);
      return;
    }
    if (this.#isStopping) this.#end();
    else this.clock.setTimer(this.#world.dice.between(5, 300), () => this.#connect());
  }

  #askLease(): void {
    if (!this.isLive) return;
    this.clock.setTimer(leaseEveryMs, () => this.#askLease());
    if (this.#channel !== undefined) this.#channel.toHost({ at: "ask-lease", request: this.#lease.request() });
  }

  #take(message: ToWorker, channel: Channel<ToHost, ToWorker>): void {
    switch (message.at) {
      case "joined":
        if (this.kind === "troupe") channel.toHost({ at: "ask-lease", request: this.#lease.request() });
        return;
      case "void":
        this.#workerId = this.#world.makeId();
        this.#session = 0;
        this.#lease.end();
        this.#world.ledger.line(() => `${this.name} is void and becomes ${this.#workerId.slice(0, 8)}`);
        return;
      case "lease":
        this.#lease.granted(message.request, message.ms);
        return;
      case "go":
        this.#go(message.addresses, channel);
        return;
      case "all-sent":
        this.#hasAll = true;
        this.#goOn();
        return;
      case "let-go":
        this.#leaving.set(nameOf(message.agent), message);
        this.#letGo(nameOf(message.agent));
        return;
      case "call":
        void this.#handle(message.call, message.epoch, channel);
    }
  }

  async #handle(call: ClusterCall, epoch: Epoch, channel: Channel<ToHost, ToWorker>): Promise<void> {
    if (this.kind === "troupe" && !this.#lease.isHeld) {
      this.#waiting += 1;
      const name = nameOf(call.agent);
      this.#running.set(name, (this.#running.get(name) ?? 0) + 1);
      const isHeld = await this.#lease.whenHeld(leaseWaitMs);
      this.#ranOnce(name);
      this.#waiting -= 1;
      // The right to the message ended with the session that it came by.
      if (this.#channel !== channel || !this.isLive) return call.settle("not-taken");
      if (!isHeld || !this.#lease.isHeld) {
        channel.toHost({ at: "not-taken", call });
        this.#letGo(name);
      } else this.#turn(call, epoch, channel);
      this.#goOn();
      return;
    }
    this.#turn(call, epoch, channel);
  }

  #turn(call: ClusterCall, epoch: Epoch, channel: Channel<ToHost, ToWorker>): void {
    const { ledger } = this.#world;
    const name = nameOf(call.agent);
    const gone = this.#gone.get(name);
    // protocol.md §11.17 L4: a message under a claim for which the worker has said that it let the agent go.
    if (gone !== undefined && compareEpochs(epoch, gone) === 0) {
      channel.toHost({ at: "not-taken", call, gone: epoch });
      this.#letGo(name);
      return;
    }
    // For a stock worker the message counts from when its host has sent it.
    const holder =
      this.kind === "troupe"
        ? ledger.started(call.agent, this.workerId, epoch, "turn")
        : { epoch, workerId: this.workerId };
    this.#running.set(name, (this.#running.get(name) ?? 0) + 1);
    this.#turnsOf.set(channel, (this.#turnsOf.get(channel) ?? 0) + 1);
    this.clock.setTimer(call.turnMs, () => {
      this.#turnsOf.set(channel, (this.#turnsOf.get(channel) ?? 1) - 1);
      ledger.saved(call.agent, holder);
      this.#ranOnce(name);
      channel.toHost({ at: "done", call });
      this.#letGo(name);
      this.#endOlder(channel);
      this.#endIfIdle();
    });
  }

  #ranOnce(name: string): void {
    const left = (this.#running.get(name) ?? 1) - 1;
    if (left === 0) this.#running.delete(name);
    else this.#running.set(name, left);
  }

  #letGo(name: string): void {
    const leaving = this.#leaving.get(name);
    if (leaving === undefined || this.#running.has(name)) return;
    this.#leaving.delete(name);
    this.#gone.set(name, leaving.epoch);
    this.#channel?.toHost({ at: "let-gone", agent: leaving.agent, epoch: leaving.epoch });
  }

  #endIfIdle(): void {
    if (!this.#isStopping || this.#isEnded || this.#running.size > 0 || this.#waiting > 0) return;
    this.#channel?.toHost({ at: "goodbye" });
    this.#end();
  }

  #end(): void {
    this.#isEnded = true;
    this.#channel?.endByWorker();
    this.#world.ended(this);
    this.clock.kill();
  }
}

function nameOf({ type, key }: AgentName): string {
  return `${type}/${key}`;
}
