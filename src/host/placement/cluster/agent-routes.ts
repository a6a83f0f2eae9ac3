// Over 400 lines: messages pass between gates and the entries of this host, and each step keeps the order of both.
import type { Clock, Timer } from "../../../core/internal.ts";
import type { WorkerLoad } from "../../../protocol/internal.ts";
import type { MemoryAccount } from "../../../transport/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import type { MutableHostCounters } from "../../counters.ts";
import { limits } from "../../limits.ts";
import type { Observers } from "../../observer.ts";
import type { HostCaller } from "../../peers/host-caller.ts";
import type { LinkFlushes } from "../../peers/places/link-flushes.ts";
import type { CallLink, WorkerElsewhere } from "../../peers/worker-elsewhere.ts";
import type { SharedType } from "../../registry/shared-type.ts";
import type { Peer } from "../../sessions/peer.ts";
import type { AgentDirectory } from "../agent-directory.ts";
import type { LeavingAgents, PlacesAcross } from "../leaving-agents.ts";
import type { Elsewhere, Found, Located, MessageOrigin, Nowhere, Placed, Seeker } from "../located.ts";
import { countHeld, type HeldMessage, type HeldMessages, type MovingAgent } from "../moving-agent.ts";
import { MovingLane } from "../moving-lane.ts";
import type { LocatesAcross, Placement } from "../placement.ts";
import type { Workers } from "../workers.ts";
import { AgentClaiming } from "./agent-claiming.ts";
import { AgentWaits, anyWorker } from "./agent-waits.ts";
import type { ClusterDirectory } from "./cluster-directory.ts";
import type { ClusterPlaces } from "./cluster-places.ts";
import { FlushMark } from "./flush-mark.ts";
import { foundAt, isElsewhere, NextPlace, type WorkersOfOthers } from "./next-place.ts";
import { RouteTable } from "./route-table.ts";

export interface AgentRoutesParts {
  readonly places: ClusterPlaces;
  readonly others: WorkersOfOthers;
  readonly flushes: LinkFlushes;
  readonly directory: AgentDirectory;
  readonly placement: Pick<Placement, "holderOf" | "whyNowhere" | "choose">;
  readonly workers: Pick<Workers, "peerOf" | "peersOf" | "isDraining">;
  readonly leaving: Pick<LeavingAgents, "size" | "find" | "open" | "hold">;
  readonly messages: HeldMessages;
  readonly batches: BatchRunner;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
  readonly sharedType: (name: string) => SharedType | undefined;
  /** Agents that sleep: their workers have let them go, and keep the claims. */
  readonly sleepers: Pick<ClusterDirectory, "sleeperOf" | "passSleeper">;
  readonly maxRoutes: number;
  readonly moveTimeoutMs: number;
}

/** A message that comes back from another host, and the agent that it is for. */
export interface Bounced {
  readonly type: SharedType;
  readonly key: string;
  readonly message: HeldMessage;
  readonly link: CallLink;
  /** The channel to which it was sent. Undefined: this host does not know it any more. */
  readonly from: WorkerElsewhere | undefined;
  readonly heldBy: string | undefined;
  /** The gate that the message was to open. */
  readonly gate: MovingAgent | undefined;
}

// protocol.md §12.8
/**
 * Finds the agents of shared types in a cluster, and keeps each sender's messages in their order meanwhile. There are two kinds of entries.
 * Those of `LeavingAgents` are for agents that this host serves: that are claimed for its workers, or leave them. Messages of other hosts wait
 * there too, and never for the second kind. The entries here are gates: they hold messages of this host for agents at other hosts, while no
 * route to them is confirmed.
 */
export class AgentRoutes implements PlacesAcross, LocatesAcross {
  readonly #parts: AgentRoutesParts;
  readonly #routes: RouteTable;
  readonly #gates: MovingLane;
  readonly #waits: AgentWaits;
  readonly #nextPlace: NextPlace;
  readonly #claiming: AgentClaiming;
  readonly #moveTimers = new Set<Timer>();
  /** Messages for which the cluster was asked who has their agents. */
  readonly #lookedUp = new WeakSet<HeldMessage>();

  constructor(parts: AgentRoutesParts) {
    this.#parts = parts;
    this.#routes = new RouteTable(parts.maxRoutes);
    const { messages, batches, directory, clock } = parts;
    const placeNext = (agent: MovingAgent): void => this.#placeAtGate(agent);
    this.#gates = new MovingLane({ messages, batches, versions: directory.versions, placeNext });
    this.#waits = new AgentWaits({
      ...{ clock, waitMs: limits.elsewhereMs, isLong: (workerId) => parts.others.isLost(workerId) },
      onOver: (agent) => this.#gates.resume(agent),
      onLate: (agent) => this.#refuse(agent, notThere(agent)),
    });
    this.#nextPlace = new NextPlace({ ...parts, routes: this.#routes, workersOf: (type) => this.peersOf(type) });
    this.#claiming = new AgentClaiming(parts);
  }

  /** Routes that are confirmed, and agents whose messages wait for one. */
  get sizes(): { readonly routes: number; readonly gates: number } {
    return { routes: this.#routes.size, gates: this.#gates.size };
  }

  /** Finds the place of an agent for a message of this host. */
  locate(type: SharedType, key: string, seeker: Seeker, serving: MovingAgent | undefined): Located {
    const { placement, counters } = this.#parts;
    const gate = this.#gates.size > 0 ? this.#gates.find(type, key) : undefined;
    const ofServing: Located | undefined = serving && {
      ...{ at: "moving", agent: serving, holder: placement.holderOf(type, key) },
    };
    // Messages at a gate came before those that wait here for a worker of this host, unless some of these are of this host, too.
    if (ofServing !== undefined && serving !== undefined && serving.ownCount > 0) return ofServing;
    if (gate !== undefined) return { at: "moving", agent: gate, holder: this.#routeOf(type, key) };
    const route = this.#routes.size === 0 ? undefined : this.#routes.find(type.name, key);
    const here = ofServing ?? placement.holderOf(type, key);
    // What is on its way on a route comes back before anything goes to a worker of this host.
    if (here !== undefined && route === undefined) return here;
    const known = route?.isOpen && here === undefined ? foundAt(route) : placement.whyNowhere(type, key);
    if (known !== undefined) return known;
    const { account } = seeker.payer ?? seeker.caller ?? {};
    const opened = account && this.#gates.open(type, key, account);
    if (opened !== undefined) return { at: "moving", agent: opened, holder: undefined };
    counters.refusedClaims += 1;
    return { at: "nowhere", code: "overloaded", reason: account?.whyNot(0) ?? "No account pays for the search." };
  }

  /**
   * Finds the place of an agent for a message of another host, which names a channel here. Undefined: the message waits in the entry that `open`
   * returns.
   */
  locateFor(type: SharedType, key: string, origin: MessageOrigin): Placed | MovingAgent {
    const { leaving, placement } = this.#parts;
    const entry = leaving.size > 0 ? leaving.find(type, key) : undefined;
    if (entry !== undefined) return entry;
    const known = this.#placeOfOther(type, key, origin);
    if (known !== undefined) return known;
    const nowhere = placement.whyNowhere(type, key);
    if (nowhere !== undefined) return nowhere;
    const { account } = origin.host;
    return leaving.open(type, key, account) ?? { at: "nowhere", code: "overloaded", reason: account.whyNot(0) };
  }

  /**
   * Finds the place of an agent for a control request. It waits in the entry that this returns. `usesRoute`: it goes where the calls of this
   * host go, if that is known.
   */
  seek(type: SharedType, key: string, account: MemoryAccount, usesRoute: boolean): Found | Nowhere | MovingAgent {
    const { leaving, placement, counters } = this.#parts;
    const entry = leaving.size > 0 ? leaving.find(type, key) : undefined;
    const route = usesRoute && entry === undefined ? this.#routeOf(type, key) : undefined;
    const known = entry ?? placement.holderOf(type, key) ?? route ?? placement.whyNowhere(type, key);
    if (known !== undefined) return known;
    const gate = this.#gates.find(type, key) ?? this.#gates.open(type, key, account);
    if (gate !== undefined) return gate;
    counters.refusedClaims += 1;
    return noRoom({ account });
  }

  /** The worker of this host that has an agent. */
  holderOf(type: SharedType, key: string): Found | undefined {
    return this.#parts.placement.holderOf(type, key);
  }

  /** The client id of the worker that has an agent, as far as is known. It claims nothing. */
  clientOf(type: SharedType, key: string): string | undefined {
    return (this.#parts.placement.holderOf(type, key) ?? this.#routeOf(type, key))?.peer.id;
  }

  /** Whether a worker of any host serves a shared type. */
  isServed(agentType: string): boolean {
    return this.#parts.places.serversOf(agentType).length > 0;
  }

  nextPlaceOf({ type, key, reason, above, claim }: MovingAgent): string | undefined {
    if (reason !== "draining" && above === undefined) return undefined;
    const chosen = this.#parts.placement.choose(type, { key, caller: undefined, above, except: claim.workerId });
    return "at" in chosen || chosen.worker.id === claim.workerId ? undefined : chosen.worker.id;
  }

  limitMoves(end: () => void): () => void {
    const timer = this.#parts.clock.setTimer(this.#parts.moveTimeoutMs, () => {
      this.#moveTimers.delete(timer);
      end();
    });
    this.#moveTimers.add(timer);
    return () => {
      this.#moveTimers.delete(timer);
      timer.cancel();
    };
  }

  placeHere(agent: MovingAgent): void {
    const { messages, sharedType } = this.#parts;
    const message = messages.next(agent);
    if (message === undefined) return;
    const { type, key } = agent;
    if (sharedType(type.name) !== type) return this.#place(message, undefined);
    if (this.#isRefused(agent, message)) return;
    const { origin } = message;
    if (origin === undefined) return this.#placeOwnHere(agent, message);
    const known =
      agent.refused === message
        ? elsewhere(agent.heldBy, "Another worker has the agent.")
        : this.#placeOfOther(type, key, origin);
    if (known === undefined) return this.#claiming.claim(agent, message, origin.channel.worker.id);
    if (known.at === "elsewhere" && known.heldBy === undefined)
      return this.#place(message, elsewhere(agent.heldBy, known.reason));
    this.#place(message, known);
  }

  peersOf(type: SharedType): readonly Peer[] {
    const { places, others } = this.#parts;
    return places.serversOf(type.name).flatMap((workerId) => {
      const worker = others.workerOf(workerId);
      return worker?.isOpen ? worker : [];
    });
  }

  isDraining(peer: Peer): boolean {
    return isElsewhere(peer) && peer.isDraining;
  }

  loadOf(peer: Peer): WorkerLoad {
    if (isElsewhere(peer)) return peer.loadWith(this.#routes.countOf(peer));
    return { agents: this.#parts.directory.countOf(peer.worker.id), calls: peer.incomingCalls.size };
  }

  /** The other host has handed over the first message of a gate: what waits may follow. */
  taken(gate: MovingAgent, by: WorkerElsewhere): void {
    this.#routes.set(gate.type.name, gate.key, by);
    gate.failures = 0;
    gate.heldBy = undefined;
    gate.tried = undefined;
    this.over(gate);
  }

  /** The first message of a gate has ended without being handed over, as far as is known. The next one is the first. */
  over(gate: MovingAgent): void {
    if (gate.at === "asking" && this.#gates.has(gate)) this.#gates.resume(gate);
  }

  /** A message comes back that no worker was handed. False: there is no space for it. */
  bounced({ type, key, message, link, from, heldBy, gate: opened }: Bounced): boolean {
    const { messages } = this.#parts;
    if (opened !== undefined && opened.at === "asking" && this.#gates.has(opened)) {
      opened.failures += 1;
      opened.heldBy = heldBy;
      opened.tried = from?.worker.id;
      const isHeld = messages.addFirst(opened, message);
      this.#gates.resume(opened);
      return isHeld;
    }
    const gate = this.#gates.find(type, key) ?? this.#gates.open(type, key, message.account);
    if (gate === undefined) return false;
    gate.heldBy = heldBy ?? gate.heldBy;
    const isHeld = messages.add(gate, gate.returned, message);
    if (gate.at === "placing" || gate.at === "waiting" || gate.at === "claiming")
      this.#flush(gate, link, from?.slot ?? 0);
    return isHeld;
  }

  /**
   * Another host wants back the messages for an agent that no worker was handed. Those that wait go their way in order, and most of them back. The
   * host calls `onDone` behind them.
   */
  flush(host: HostCaller, type: SharedType, key: string, onDone: () => void): void {
    const { leaving } = this.#parts;
    const entry = leaving.size > 0 ? leaving.find(type, key) : undefined;
    if (entry === undefined || !leaving.hold(entry, new FlushMark(host, onDone))) onDone();
  }

  /** A worker has a channel, here or at another host. */
  workerHere(workerId: string): void {
    this.#waits.over(workerId);
    this.#waits.over(anyWorker);
  }

  /** The workers that serve shared types have changed. */
  serversChanged(): void {
    this.#waits.allOver();
  }

  /** A worker is gone for good: others may have its agents. */
  workerGone(workerId: string): void {
    this.#waits.over(workerId);
  }

  /** The link to the host of these workers has ended. */
  linkEnded(channels: Iterable<WorkerElsewhere>): void {
    for (const channel of channels) this.#parts.batches.add(channel, this.#routes.deletionsOf(channel));
  }

  close(): void {
    this.#waits.close();
    for (const timer of this.#moveTimers) timer.cancel();
    this.#moveTimers.clear();
  }

  #routeOf(type: SharedType, key: string): Found | undefined {
    if (this.#routes.size === 0) return undefined;
    const peer = this.#routes.find(type.name, key);
    return peer?.isOpen ? foundAt(peer) : undefined;
  }

  /** The place of an agent for a message of another host. Undefined: it is to be claimed for the worker that the message names. */
  #placeOfOther(
    type: SharedType,
    key: string,
    { host, channel, isFirst }: MessageOrigin,
  ): Found | Elsewhere | undefined {
    const { placement, directory, workers } = this.#parts;
    // One that was sent before it has gone back.
    if (!isFirst && host.isBouncing(type.name, key)) return elsewhere(undefined, "The route has changed.");
    const holder = placement.holderOf(type, key);
    const workerId = channel.worker.id;
    if (holder !== undefined) {
      return holder.peer.worker.id === workerId
        ? holder
        : elsewhere(directory.find(type, key)?.workerId, "Another worker has the agent.");
    }
    // One that sleeps at the worker is woken there, so that what follows keeps its order.
    const isSleeper = this.#parts.sleepers.sleeperOf(type, key) === workerId;
    if (!isFirst && !isSleeper) return elsewhere(undefined, "The worker does not have the agent any more.");
    const serves = workers.peersOf(workerId).some(({ id }) => type.isOwner(id));
    if (isSleeper || (serves && !workers.isDraining(workerId))) return undefined;
    return elsewhere(undefined, "The worker takes no new agents of the type.");
  }

  #placeOwnHere(agent: MovingAgent, message: HeldMessage): void {
    const { messages } = this.#parts;
    const { type, key } = agent;
    let gate = this.#gates.find(type, key);
    const step = gate === undefined ? this.#nextPlace.next(agent, message) : undefined;
    switch (step?.at) {
      case "found":
      case "expected":
      case "nowhere":
        // A route to another host is the gate's matter: what waits there goes first.
        return this.#place(message, step);
      case "claim":
        return this.#claiming.claim(agent, message, step.workerId);
      case "ask":
      case "flush":
      case "wait":
      case undefined:
    }
    messages.remove(message);
    if (gate === undefined) {
      gate = this.#gates.open(type, key, message.account);
      if (gate === undefined) return message.place(noRoom(message));
      const { heldBy, tried, failures, above } = agent;
      Object.assign(gate, { heldBy, tried, failures, above });
    }
    if (!messages.add(gate, gate.held, message)) message.place(noRoom(message));
    if (gate.at === "placing") this.#gates.resume(gate);
  }

  #placeAtGate(gate: MovingAgent): void {
    const { messages, sharedType } = this.#parts;
    const message = messages.next(gate);
    if (message === undefined) return;
    if (sharedType(gate.type.name) !== gate.type) return this.#place(message, undefined);
    if (this.#isRefused(gate, message)) return;
    if (message.seeking?.looksUp === true && !this.#lookedUp.has(message)) return this.#lookUp(gate, message);
    const step = this.#nextPlace.next(gate, message);
    switch (step.at) {
      case "found":
      case "expected":
      case "nowhere":
        return this.#place(message, step);
      case "ask":
        if (!message.opensRoutes) return this.#place(message, { at: "found", peer: step.peer, epoch: undefined });
        gate.at = "asking";
        return this.#place(message, { at: "found", peer: step.peer, epoch: undefined, gate });
      case "flush":
        gate.heldBy ??= step.route.worker.id;
        return this.#flush(gate, step.route.link, step.route.slot);
      case "wait":
        return this.#waits.add(gate, step.for);
      case "claim":
        return this.#serveHere(gate, step.workerId);
    }
  }

  /** Asks the cluster for the worker that has the agent. */
  #lookUp(gate: MovingAgent, message: HeldMessage): void {
    const { type, key } = gate;
    gate.at = "claiming";
    void this.#parts.places.claims.holderOf({ type: type.name, key }).then((workerId) => {
      this.#lookedUp.add(message);
      if (gate.at !== "claiming" || !this.#gates.has(gate)) return;
      gate.heldBy = workerId ?? gate.heldBy;
      this.#gates.resume(gate);
    });
  }

  /** All that waits at a gate waits for a worker of this host from now on. */
  #serveHere(gate: MovingAgent, workerId: string): void {
    const { leaving, messages } = this.#parts;
    const { type, key, tried, failures, above } = gate;
    const entry = leaving.find(type, key) ?? leaving.open(type, key, gate.account);
    if (entry === undefined) return this.#refuse(gate, noRoom(gate));
    messages.moveBefore(gate, entry);
    this.#gates.end(gate);
    Object.assign(entry, { heldBy: workerId, tried, failures, above: entry.above ?? above });
    if (entry.at === "placing") entry.lane?.resume(entry);
  }

  #flush(gate: MovingAgent, link: CallLink, slot: number): void {
    this.#waits.drop(gate);
    const { type, key } = gate;
    gate.at = "flushing";
    this.#routes.delete(type.name, key);
    this.#parts.flushes.begin(link, { slot, agentType: type.name, key }, gate.account.party, () => {
      // All that was on its way on the old route has come back.
      if (gate.at === "flushing" && this.#gates.has(gate)) this.#gates.resume(gate);
    });
  }

  /** Whether the message fails with others for which no place was found. */
  #isRefused(agent: MovingAgent, message: HeldMessage): boolean {
    const { refusal } = agent;
    if (refusal === undefined) return false;
    refusal.left -= 1;
    if (refusal.left <= 0) agent.refusal = undefined;
    this.#place(message, refusal.outcome);
    return true;
  }

  /** All messages that wait now fail. */
  #refuse(agent: MovingAgent, outcome: Nowhere): void {
    agent.refusal = { outcome, left: countHeld(agent) };
    agent.heldBy = undefined;
    agent.lane?.resume(agent);
  }

  #place(message: HeldMessage, placed: Placed | undefined): void {
    this.#parts.messages.remove(message);
    message.place(placed);
  }
}

function elsewhere(heldBy: string | undefined, reason: string): Elsewhere {
  return { at: "elsewhere", heldBy, reason };
}

function notThere({ type, key, heldBy }: MovingAgent): Nowhere {
  const reason =
    heldBy === undefined
      ? `No worker of agent type ${type.name} can be reached now. Try again later.`
      : `The worker that has ${type.name}/${key} can't be reached now. Try again later.`;
  return { at: "nowhere", code: "undeliverable", reason };
}

function noRoom({ account }: Pick<HeldMessage, "account">): Nowhere {
  return { at: "nowhere", code: "overloaded", reason: account.whyNot(0) };
}
