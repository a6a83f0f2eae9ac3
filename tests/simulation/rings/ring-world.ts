import { type CallPath, nextTurn, noPath, type Turn, TurnQueue } from "../../../src/core/internal.ts";
import { pathVia, waitingTurns } from "../../../src/core/scope/call-path.ts";
import type { PendingCall } from "../../../src/host/sessions/pending-call.ts";
import { pathText } from "../../../src/protocol/internal.ts";
import { Dice, SimulatedClock } from "../../../src/testing/index.ts";
import { RingHost, RingLink } from "./ring-host.ts";

/** An agent of a worker at a host. One that is not sequential handles all its calls at once. */
interface Agent {
  readonly name: string;
  readonly host: RingHost;
  readonly queue: TurnQueue<Called> | undefined;
  /** The reports of its waiting calls. */
  readonly told: Map<Called, string>;
}

/** A call, and its turn at the agent. */
class Called implements Turn {
  readonly kind = "alone";
  readonly bytes = 0;
  readonly isUrgent = false;
  readonly caller: Called | undefined;
  readonly agent: Agent;
  readonly path: CallPath;
  /** Calls for which its handler waits. */
  readonly awaited = new Set<Called>();
  /** Its ids at the host of its caller, and at that of its agent. */
  callerId = "";
  id = "";
  at: "sent" | "waits" | "runs" | "over" = "sent";
  callsLeft: number;
  /** When nothing could end it any more, the last time that this was so. */
  stuckMs = Number.NEGATIVE_INFINITY;

  constructor(agent: Agent, caller: Called | undefined, callsLeft: number) {
    this.agent = agent;
    this.caller = caller;
    this.callsLeft = callsLeft;
    this.path = caller?.pathOfCalls ?? noPath;
  }

  get pathOfCalls(): CallPath {
    const isOver = ({ token }: { readonly token: string }) =>
      this.agent.host.isOwn(token) && !this.agent.host.has(token);
    const path = waitingTurns(this.path, isOver);
    if (this.agent.queue === undefined) return pathVia(path, { token: this.id });
    return [...path, { token: this.id, type: this.agent.name, key: "k" }];
  }

  get hasPath(): boolean {
    return this.path.length > 0;
  }

  isAwaitedBy(running: Called): boolean {
    const isOver = ({ token }: { readonly token: string }) =>
      this.agent.host.isOwn(token) && !this.agent.host.has(token);
    return waitingTurns(this.path, isOver).some(({ token }) => token === running.id);
  }

  begin(): void {
    this.at = "runs";
  }

  hurry(): void {}
}

export interface RingWorldReport {
  readonly breaches: readonly { readonly checker: "false" | "hangs"; readonly text: string }[];
  readonly figures: {
    calls: number;
    deadlocks: number;
    overHosts: number;
    givenUp: number;
    deaths: number;
    cuts: number;
  };
}

const troubleMs = 20_000;
const healMs = 60_000;
const mostCalls = 200;

/** Agents on several hosts that call each other at random, while hosts die, links are cut and calls are given up. */
export class RingWorld {
  readonly dice: Dice;
  readonly clock: SimulatedClock;
  readonly #hosts: RingHost[] = [];
  readonly #agents: Agent[] = [];
  readonly #calls = new Set<Called>();
  readonly #byHost = new Map<string, Called>();
  readonly #breaches: { readonly checker: "false" | "hangs"; readonly text: string }[] = [];
  readonly #figures = { calls: 0, deadlocks: 0, overHosts: 0, givenUp: 0, deaths: 0, cuts: 0 };
  readonly #hasTrouble: boolean;
  #hostCount = 0;
  #isQuiet = false;

  constructor(seed: number) {
    this.dice = new Dice(seed, 0x52);
    this.clock = new SimulatedClock(this.dice.fork("clock"));
    this.#hasTrouble = this.dice.chance(0.7);
  }

  async run(): Promise<RingWorldReport> {
    const { dice, clock } = this;
    for (let hosts = dice.between(2, 4); hosts > 0; hosts -= 1) this.#addHost();
    for (let agents = dice.between(3, 6); agents > 0; agents -= 1) this.#addAgent(dice.chance(0.75));
    this.#callNext();
    if (this.#hasTrouble) this.#troubleNext();
    await this.#until(() => clock.now() >= troubleMs);
    this.#isQuiet = true;
    await this.#until(() => this.#calls.size === 0 || clock.now() >= troubleMs + healMs);
    for (const { id, callerId, agent, at } of this.#calls)
      this.#breach("hangs", `the call ${callerId}/${id} to ${agent.name} has no outcome: ${at}`);
    return { breaches: this.#breaches, figures: this.#figures };
  }

  /** A host has ended a call of a ring. */
  broken(host: RingHost, pending: PendingCall): void {
    const call = this.#byHost.get(host.idOf(pending));
    if (call === undefined) throw new Error("There is no such call.");
    this.#figures.deadlocks += 1;
    if (call.path.some(({ token }) => !host.isOwn(token))) this.#figures.overHosts += 1;
    this.#noteStuck();
    // A ring over hosts was true when the last question left.
    const isOfOne = call.path.every(({ token }) => host.isOwn(token));
    const sinceMs = isOfOne ? this.clock.now() : Math.min(this.clock.now(), host.searching.askedMs);
    if (call.stuckMs < sinceMs)
      this.#breach("false", `the call ${call.id} to ${call.agent.name} failed as deadlock, and could have ended`);
    this.#endAtHost(call);
  }

  #addHost(): void {
    this.#hostCount += 1;
    const host = new RingHost(this, `${this.dice.between(10, 99)}h${this.#hostCount}`);
    for (const other of this.#hosts) {
      host.links.set(other, undefined);
      other.links.set(host, undefined);
      this.#dial(host, other);
      this.#dial(other, host);
    }
    this.#hosts.push(host);
    host.rings.hostsChanged();
  }

  #addAgent(isSequential: boolean): void {
    const queue = isSequential ? new TurnQueue<Called>({ maxQueued: 1_000, maxQueuedBytes: 1 }) : undefined;
    const host = this.dice.pick(this.#hosts);
    this.#agents.push({ name: `a${this.#agents.length}`, host, queue, told: new Map() });
  }

  #dial(from: RingHost, to: RingHost): void {
    this.clock.setTimer(this.dice.between(0, 200), () => {
      if (!from.isUp || !to.isUp || !from.links.has(to) || from.links.get(to) !== undefined) return;
      const link = new RingLink(this, from, to);
      from.links.set(to, link);
      link.onCut.add(() => this.#cut(from, link));
      from.rings.hostsChanged();
    });
  }

  #cut(from: RingHost, link: RingLink): void {
    const { to, caller } = link;
    from.links.set(to, undefined);
    from.rings.hostsChanged();
    // The calls on the link fail at the one end, and are cancelled at the other, which may learn of it later.
    const isOnLink = (call: Called) => call.agent.host === to && call.caller?.agent.host === from;
    const lost = [...this.#calls].filter(isOnLink);
    for (const call of lost) {
      this.#endAtCaller(call);
      if (call.at === "sent" || call.at === "over") this.#over(call);
    }
    this.clock.setTimer(this.dice.between(0, 400), () => {
      for (const call of lost) this.#abandon(call);
      to.rings.callerGone(caller);
    });
    this.#dial(from, to);
  }

  #callNext(): void {
    this.clock.setTimer(this.dice.between(1, 60), () => {
      if (this.#isQuiet) this.#endOne();
      else if (this.#figures.calls < mostCalls) this.#act();
      this.#callNext();
    });
  }

  /** A handler that is free makes calls, or ends. Without one a new chain begins. */
  #act(): void {
    const free = [...this.#calls].filter(({ at, awaited }) => at === "runs" && awaited.size === 0);
    if (free.length === 0 || this.dice.chance(0.2)) return this.#call(undefined);
    const call = this.dice.pick(free);
    if (call.callsLeft === 0) return this.#end(call);
    call.callsLeft -= 1;
    for (let calls = this.dice.between(0, 1); calls >= 0; calls -= 1) this.#call(call);
  }

  #endOne(): void {
    const free = [...this.#calls].filter(({ at, awaited }) => at === "runs" && awaited.size === 0);
    if (free.length > 0) this.#end(this.dice.pick(free));
  }

  #troubleNext(): void {
    this.clock.setTimer(this.dice.between(100, 2_000), () => {
      if (this.#isQuiet) return;
      const draw = this.dice.next();
      if (draw < 0.6) this.#giveUp();
      else if (draw < 0.8) this.#cutLink();
      else this.#killHost();
      this.#troubleNext();
    });
  }

  /** A handler gives a call up, and continues. */
  #giveUp(): void {
    const calls = [...this.#calls].filter(({ caller }) => caller?.at === "runs");
    const call = calls.length === 0 ? undefined : this.dice.pick(calls);
    if (call === undefined || !this.#endAtCaller(call)) return;
    this.#figures.givenUp += 1;
    const from = call.caller?.agent.host;
    const link = from?.links.get(call.agent.host);
    if (from === call.agent.host) this.#abandon(call);
    else link?.send(() => (call.at === "sent" ? this.#over(call) : this.#abandon(call)));
  }

  #cutLink(): void {
    const links = this.#hosts.flatMap(({ links: of }) => [...of.values()]).flatMap((link) => link ?? []);
    if (links.length === 0) return;
    this.#figures.cuts += 1;
    this.dice.pick(links).cut();
  }

  #killHost(): void {
    const host = this.dice.pick(this.#hosts);
    this.#figures.deaths += 1;
    host.isUp = false;
    this.#hosts.splice(this.#hosts.indexOf(host), 1);
    const links = [...this.#hosts.flatMap(({ links: of }) => of.get(host) ?? []), ...host.links.values()];
    for (const link of links) link?.cut();
    for (const call of [...this.#calls]) if (call.agent.host === host) this.#gone(call);
    for (const other of this.#hosts) {
      // Each learns of it at its own time.
      this.clock.setTimer(this.dice.between(0, 1_500), () => {
        other.links.delete(host);
        other.rings.hostsChanged();
      });
    }
    this.#addHost();
    for (const [index, agent] of this.#agents.entries()) {
      if (agent.host !== host) continue;
      const queue = agent.queue && new TurnQueue<Called>({ maxQueued: 1_000, maxQueuedBytes: 1 });
      this.#agents[index] = { ...agent, host: this.dice.pick(this.#hosts), queue, told: new Map() };
    }
  }

  /** The worker and the host of a call are gone. */
  #gone(call: Called): void {
    call.at = "over";
    this.#over(call);
    if (call.caller?.agent.host.isUp) this.#endAtCaller(call);
  }

  #call(caller: Called | undefined): void {
    const { dice } = this;
    const depth = caller === undefined ? 0 : caller.path.length + 1;
    const agent = dice.pick(this.#agents);
    const from = caller?.agent.host ?? agent.host;
    const link = from === agent.host ? undefined : from.links.get(agent.host);
    if (from !== agent.host && link === undefined) return;
    const call = new Called(agent, caller, depth >= 4 ? 0 : dice.between(0, 2));
    this.#figures.calls += 1;
    this.#calls.add(call);
    caller?.awaited.add(call);
    call.callerId = from.open(from.workers, "", link === undefined ? from.workers : undefined);
    if (link === undefined) {
      call.id = call.callerId;
      this.#arrive(call);
    } else
      link.send(() => {
        if (!this.#calls.has(call)) return;
        call.id = agent.host.open(link.caller, call.callerId, agent.host.workers);
        this.#arrive(call);
      });
  }

  #arrive(call: Called): void {
    this.#byHost.set(call.id, call);
    call.at = "waits";
    if (call.agent.queue === undefined || call.agent.queue.ask(call) === "begun") call.begin();
    this.#changed(call.agent);
  }

  /** The handler of a call has ended. */
  #end(call: Called): void {
    call.at = "over";
    if (call.agent.host.take(call.id)) this.#answer(call);
    else this.#over(call);
    this.#leave(call);
  }

  #answer(call: Called): void {
    const from = call.caller?.agent.host;
    if (from === undefined || from === call.agent.host) {
      this.#endAtCaller(call);
      return this.#over(call);
    }
    const link = from.links.get(call.agent.host);
    // The end of the link has failed the call.
    if (link === undefined) return this.#over(call);
    link.sendBack(() => {
      this.#endAtCaller(call);
      this.#over(call);
    });
  }

  /** The search fails a call: the host takes it out, and its worker hears of it. */
  #endAtHost(call: Called): void {
    if (!call.agent.host.take(call.id)) return;
    const isWaiting = call.at === "waits";
    if (isWaiting) call.at = "over";
    this.#answer(call);
    if (isWaiting) this.#leave(call);
  }

  /** No caller waits for a call any more, and its host has heard of it. A handler that runs continues. */
  #abandon(call: Called): void {
    call.agent.host.take(call.id);
    if (call.at !== "waits") return;
    call.at = "over";
    this.#over(call);
    this.#leave(call);
  }

  #endAtCaller(call: Called): boolean {
    const { caller, callerId, id, agent } = call;
    const from = caller?.agent.host ?? agent.host;
    const isWaiting = caller === undefined || caller.awaited.delete(call);
    if (callerId !== id) from.take(callerId);
    else if (caller !== undefined || call.at === "over") from.take(id);
    return isWaiting;
  }

  #leave(call: Called): void {
    call.agent.queue?.end(call);
    this.#changed(call.agent);
  }

  #over(call: Called): void {
    if (call.at !== "runs") this.#calls.delete(call);
  }

  /** The worker tells its host which calls wait, and for which turns. */
  #changed({ host, queue, told }: Agent): void {
    const wanted = new Map<Called, readonly string[]>();
    for (const { turn, behind } of queue?.waits() ?? [])
      if (turn.hasPath && behind.length > 0)
        wanted.set(
          turn,
          behind.map(({ id }) => id),
        );
    for (const call of told.keys()) {
      if (wanted.has(call)) continue;
      told.delete(call);
      host.withdraw(call.id);
    }
    for (const [call, behind] of wanted) {
      if (told.get(call) === behind.join()) continue;
      told.set(call, behind.join());
      host.report(call.id, pathText(call.path), behind);
    }
  }

  /** The naive model: the calls that nothing can end any more, found by leaving out again and again what can end. */
  #noteStuck(): void {
    const stuck = new Set([...this.#calls].filter(({ at }) => at === "waits" || at === "runs"));
    for (let before = -1; before !== stuck.size; ) {
      before = stuck.size;
      for (const call of stuck) if (canEnd(call, stuck, this.#calls)) stuck.delete(call);
    }
    for (const call of stuck) call.stuckMs = this.clock.now();
  }

  #breach(checker: "false" | "hangs", text: string): void {
    this.#breaches.push({ checker, text: `at ${this.clock.now().toFixed(1)}: ${text}` });
  }

  async #until(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      this.#noteStuck();
      if (!this.clock.runNext()) return;
      await nextTurn();
    }
  }
}

function canEnd(call: Called, stuck: ReadonlySet<Called>, calls: ReadonlySet<Called>): boolean {
  if (call.at === "runs") return [...call.awaited].every((awaited) => !stuck.has(awaited));
  const running = [...calls].filter(({ agent, at }) => agent === call.agent && at === "runs");
  return running.every((other) => call.isAwaitedBy(other) || !stuck.has(other));
}
