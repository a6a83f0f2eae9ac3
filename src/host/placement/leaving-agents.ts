import { compareEpochs } from "../../core/internal.ts";
import type { ClaimedAgent, LeaveReason } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { Peer } from "../sessions/peer.ts";
import type { AgentDirectory, Claim } from "./agent-directory.ts";
import type { LeaveNotices } from "./leave-notices.ts";
import type { Placed } from "./located.ts";
import { costOfMoving, type HeldMessage, type HeldMessages, type MovingAgent, movingAgent } from "./moving-agent.ts";
import { MovingLane } from "./moving-lane.ts";
import type { Workers } from "./workers.ts";

/** Agents that were told to leave at once, and have not left. */
interface MoveLot {
  readonly agents: Set<MovingAgent>;
  endTimer: () => void;
}

// protocol.md §12.8
/** The places of agents in a cluster, as those that leave need them. */
export interface PlacesAcross {
  /** The worker that gets an agent which has left its own; undefined: it sleeps, and that worker keeps it. */
  nextPlaceOf(agent: MovingAgent): string | undefined;
  /** Takes the next message of an agent at `placing`, or gives the agent another state. */
  placeHere(agent: MovingAgent): void;
  /** Calls back when moves that begin now have lasted too long. */
  limitMoves(end: () => void): () => void;
}

/** Where a host keeps them; a lone host has none. */
export interface AcrossSeat<Across> {
  now: Across | undefined;
}

export interface LeavingAgentsParts {
  readonly across: AcrossSeat<PlacesAcross>;
  readonly messages: HeldMessages;
  readonly directory: AgentDirectory;
  readonly workers: Workers;
  readonly notices: LeaveNotices;
  /** Sends messages that waited in turns with other work. */
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
  readonly sharedType: (name: string) => SharedType | undefined;
  /** Finds or chooses the worker of an agent that does not leave. `above`: its version must be higher. */
  readonly place: (type: SharedType, key: string, message: HeldMessage, above: string | undefined) => Placed;
  /** A claim of a worker is free. */
  readonly onLeft: (workerId: string) => void;
}

// protocol.md §11.17
/**
 * The agents of shared types that leave their workers, each by a handshake. What comes for such an agent waits. When it has left, the agent
 * is placed anew: first gets what its worker gave back, then what waited. Each agent has one claim at most, and a fixed way:
 * `leaving`, then `placing`, then it has no entry here.
 */
export class LeavingAgents {
  readonly #parts: LeavingAgentsParts;
  readonly #lane: MovingLane;
  /** Those that leave, by their workers. */
  readonly #byWorker = new Map<string, Set<MovingAgent>>();
  /** Agents whose time to leave is limited, each with those that share its timer. */
  readonly #lots = new Map<MovingAgent, MoveLot>();
  readonly #giving = new Map<string, number>();

  constructor(parts: LeavingAgentsParts) {
    this.#parts = parts;
    const { messages, batches, directory } = parts;
    const placeNext = (agent: MovingAgent): void => this.#placeNext(agent);
    this.#lane = new MovingLane({ messages, batches, versions: directory.versions, placeNext });
  }

  /** Agents that leave, that are being claimed, or whose messages are being sent. */
  get size(): number {
    return this.#lane.size;
  }

  /** Messages that wait for agents, also for those whose place at other hosts is not known. */
  get heldCount(): number {
    return this.#parts.messages.size;
  }

  /** How many agents of a worker leave. */
  countOf(workerId: string): number {
    return this.#byWorker.get(workerId)?.size ?? 0;
  }

  find(type: SharedType, key: string): MovingAgent | undefined {
    return this.#lane.find(type, key);
  }

  // protocol.md §12.8
  /** Enters an agent that may get a worker of this host. Undefined: the account has no space for it. */
  open(type: SharedType, key: string, account: MemoryAccount): MovingAgent | undefined {
    return this.#lane.open(type, key, account);
  }

  isLeaving({ type: name, key, epoch }: Claim): boolean {
    const type = this.#parts.sharedType(name);
    const agent = type && this.find(type, key);
    return agent?.at === "leaving" && compareEpochs(agent.claim.epoch, epoch) === 0;
  }

  /** The worker asks for these agents to be let go. */
  asked(from: Peer, agents: readonly ClaimedAgent[], asked: LeaveReason): void {
    const { workers, notices, counters } = this.#parts;
    const workerId = from.worker.id;
    const reason = workers.isDraining(workerId) ? "draining" : asked;
    const leaving: MovingAgent[] = [];
    const unheld: ClaimedAgent[] = [];
    for (const agent of agents) {
      const type = this.#typeHeld(from, agent);
      if (type === undefined) {
        counters.unmatchedReturns += 1;
        unheld.push(agent);
      } else {
        const begun = this.#begin(type, { ...agent, workerId }, reason, from);
        if (begun !== undefined) leaving.push(begun);
        // The worker asks again later.
        else if (this.find(type, agent.key)?.at !== "leaving") counters.refusedByLimit += 1;
      }
    }
    this.#sayLeave(workerId, leaving);
    notices.sayUnheld(from, unheld, asked);
  }

  /**
   * Lets agents go because their worker stops. Those that leave already for other reasons may not stay any more. Returns how many begin
   * to leave.
   */
  drain(peer: Peer, claims: readonly Claim[]): number {
    const leaving: MovingAgent[] = [];
    for (const claim of claims) {
      const type = this.#parts.sharedType(claim.type);
      // A type that was shared before under this name has other claims.
      const isOwn = type !== undefined && this.#parts.directory.holds(type, claim.key, claim.workerId, claim.epoch);
      const begun = isOwn ? this.#begin(type, claim, "draining", peer) : undefined;
      if (begun !== undefined) leaving.push(begun);
    }
    this.#sayLeave(peer.worker.id, leaving);
    return leaving.length;
  }

  /** Holds a message for an agent that moves. False: there is no space for it. */
  hold(agent: MovingAgent, message: HeldMessage): boolean {
    return (agent.lane ?? this.#lane).hold(agent, message);
  }

  /** Holds the message no more. */
  forget(message: HeldMessage): void {
    this.#parts.messages.remove(message);
  }

  /**
   * Takes back a message that a worker gave back. It goes before all that waits. False: there is no space for it, or none for one more
   * agent that leaves.
   */
  takeBack(from: Peer, { type: name, key, epoch }: ClaimedAgent, message: HeldMessage): boolean {
    const { counters, place } = this.#parts;
    counters.returnedMessages += 1;
    const type = this.#parts.sharedType(name);
    if (type === undefined) {
      message.place(undefined);
      return true;
    }
    let agent = this.find(type, key);
    const claim = { type: name, key, epoch, workerId: from.worker.id };
    const isOnItsWay = agent?.at === "leaving" || agent?.at === "claiming";
    if (!isOnItsWay && this.#parts.directory.holds(type, key, claim.workerId, epoch)) {
      agent = this.#begin(type, claim, "failed", from);
      // Under a claim that goes on, the message would come back again and again.
      if (agent === undefined) return false;
      this.#sayLeave(claim.workerId, [agent]);
    }
    if (agent === undefined && this.#parts.across.now !== undefined) {
      agent = this.#lane.open(type, key, message.account);
      if (agent === undefined) return false;
    }
    if (agent === undefined) {
      message.place(place(type, key, message, message.isUnfit ? (from.worker.version ?? "") : undefined));
      return true;
    }
    if (message.isUnfit) agent.above = from.worker.version ?? "";
    // The worker may have opened another channel meanwhile. What it gives back by this one keeps its place.
    const isNewest = this.#parts.workers.placeOf(from) >= agent.newest;
    const isAdded = this.#parts.messages.add(agent, isNewest ? agent.returnedOnNewest : agent.returned, message);
    if (agent.at === "placing" && !agent.isBeingPlaced) this.#lane.resume(agent);
    return isAdded;
  }

  /** The activations of these agents have ended. */
  left(from: Peer, agents: readonly ClaimedAgent[]): void {
    for (const named of agents) {
      const agent = this.#leavingFrom(from, named);
      if (agent === undefined) {
        this.#parts.counters.unmatchedReturns += 1;
        continue;
      }
      agent.unanswered.delete(from);
      // On an older channel there may still be messages under the claim, which the worker gives back there.
      if (this.#parts.notices.isUnanswered(agent)) continue;
      this.#letGo(agent, from);
    }
  }

  #letGo(agent: MovingAgent, from: Peer): void {
    const { directory, across, onLeft } = this.#parts;
    const { claim, type } = agent;
    const to = across.now?.nextPlaceOf(agent);
    const outcome = directory.letGo(type, claim, to);
    this.#observeGiven(claim, from);
    this.#leaveWorker(agent);
    if (outcome instanceof Promise) {
      // From now on nothing else ends the move: the write may happen.
      agent.at = "claiming";
      const { workerId } = claim;
      this.#giving.set(workerId, this.givingOf(workerId) + 1);
      void outcome.then((given) => {
        const left = this.givingOf(workerId) - 1;
        if (left > 0) this.#giving.set(workerId, left);
        else this.#giving.delete(workerId);
        if (agent.at === "claiming" && agent.claim === claim) {
          agent.heldBy = given === "done" ? to : undefined;
          this.#lane.resume(agent);
        }
        onLeft(claim.workerId);
      });
      return;
    }
    this.#lane.resume(agent);
    onLeft(claim.workerId);
  }

  /** How many agents of a worker have left it, and are being given to others. */
  givingOf(workerId: string): number {
    return this.#giving.get(workerId) ?? 0;
  }

  /** Says that agents leave, when the directory has frozen them. */
  #sayLeave(workerId: string, agents: readonly MovingAgent[]): void {
    const { directory, notices } = this.#parts;
    const claims = agents.map(({ claim }) => claim);
    const freezing = agents.map(({ type, claim }) => directory.freeze(type, claim));
    if (freezing.every((frozen) => frozen === undefined)) return notices.say(workerId, agents);
    void Promise.all(freezing).then((frozen) => {
      const leaving: MovingAgent[] = [];
      for (const [at, agent] of agents.entries()) {
        const claim = claims[at];
        const isStill = agent.at === "leaving" && agent.claim === claim;
        if (isStill && frozen[at] === true) leaving.push(agent);
        else if (isStill) this.#placeAnew(agent);
        else if (claim !== undefined) directory.stays(agent.type, claim);
      }
      notices.say(workerId, leaving);
      if (leaving.length > 0) this.#limit(leaving);
    });
  }

  /** Ends moves that take too long: their agents stay. */
  #limit(leaving: readonly MovingAgent[]): void {
    const across = this.#parts.across.now;
    if (across === undefined) return;
    const lot: MoveLot = { agents: new Set(leaving), endTimer: () => undefined };
    for (const agent of leaving) this.#lots.set(agent, lot);
    lot.endTimer = across.limitMoves(() => {
      for (const agent of [...lot.agents]) this.#placeAnew(agent);
    });
  }

  /** These agents are not idle any more. */
  stayed(from: Peer, agents: readonly ClaimedAgent[]): void {
    const { workers, notices, counters } = this.#parts;
    const again: MovingAgent[] = [];
    for (const named of agents) {
      const agent = this.#leavingFrom(from, named);
      if (agent === undefined || (agent.reason !== "idle" && agent.reason !== "capacity"))
        counters.unmatchedReturns += 1;
      else if (workers.isDraining(from.worker.id)) {
        agent.reason = "draining";
        again.push(agent);
      } else this.#placeAnew(agent);
    }
    notices.say(from.worker.id, again);
  }

  /** A channel of a worker has ended that has another one. It may not have heard of its leaving agents, or its `left` may be lost. */
  channelEnded(workerId: string): void {
    const leaving = this.#byWorker.get(workerId);
    if (leaving !== undefined) this.#parts.notices.sayAgain(workerId, leaving);
  }

  /** A worker has no claim any more: it is lost, or its time is over. What waited is placed anew. */
  claimsEnded(workerId: string): void {
    const leaving = this.#byWorker.get(workerId);
    if (leaving !== undefined) this.#endInBatches(leaving, workerId);
  }

  /** A type is not shared any more, or has no worker. */
  typeGone(type: SharedType): void {
    this.#endInBatches(this.#lane.of(type), type.name);
  }

  #endInBatches(agents: Iterable<MovingAgent>, owner: string): void {
    const claims = new Map([...agents].map((agent) => [agent, agent.claim]));
    const tasks = [...claims].map(([agent, claim]) => () => {
      if (agent.at === "leaving" && agent.claim === claim) this.#placeAnew(agent);
    });
    this.#parts.batches.add(`leaving ${owner}`, tasks);
  }

  /** Returns the agent if it begins to leave now. Undefined: it leaves already, or the worker has too many that leave. */
  #begin(type: SharedType, claim: Claim, reason: LeaveReason, peer: Peer): MovingAgent | undefined {
    const known = this.find(type, claim.key);
    if (known?.at === "leaving") {
      // Its worker has been told already; if it stays, it is told again.
      return undefined;
    }
    if (this.countOf(claim.workerId) >= limits.leavingPerWorker) return undefined;
    const bytes = costOfMoving(type, claim.key);
    if (reason === "draining") peer.account.add(bytes);
    else if (!peer.account.take(bytes)) return undefined;
    const { workers } = this.#parts;
    const newest = workers.placeOf(workers.peerOf(claim.workerId) ?? peer);
    const agent = known ?? movingAgent(type, claim.key, peer.account, { at: "leaving", claim, reason, newest });
    if (known !== undefined) {
      // Messages of its move before are still being sent. They wait on, behind what this worker gives back.
      known.account.release(bytes);
      Object.assign(known, { at: "leaving", claim, reason, newest, account: peer.account });
      this.#parts.messages.leaveAgain(known);
    }
    if (known === undefined) this.#lane.enter(agent);
    this.#parts.directory.versions.changed(agent.key);
    const ofWorker = this.#byWorker.get(claim.workerId);
    if (ofWorker === undefined) this.#byWorker.set(claim.workerId, new Set([agent]));
    else ofWorker.add(agent);
    return agent;
  }

  /** The agent stays, or its worker is lost: sends what waited for it. */
  #placeAnew(agent: MovingAgent): void {
    this.#parts.directory.stays(agent.type, agent.claim);
    this.#leaveWorker(agent);
    this.#lane.resume(agent);
  }

  /** No word of its worker is awaited any more. */
  #leaveWorker(agent: MovingAgent): void {
    const { workerId } = agent.claim;
    agent.heldBy = workerId;
    agent.unanswered.clear();
    const lot = this.#lots.get(agent);
    this.#lots.delete(agent);
    lot?.agents.delete(agent);
    if (lot?.agents.size === 0) lot.endTimer();
    const ofWorker = this.#byWorker.get(workerId);
    ofWorker?.delete(agent);
    if (ofWorker?.size === 0) this.#byWorker.delete(workerId);
  }

  #placeNext(agent: MovingAgent): void {
    const across = this.#parts.across.now;
    if (across !== undefined) return across.placeHere(agent);
    const message = this.#parts.messages.takeNext(agent);
    if (message === undefined) return;
    const { type, key, above } = agent;
    if (this.#parts.sharedType(type.name) !== type) return message.place(undefined);
    const placed = this.#parts.place(type, key, message, above);
    const isOnlyTooNew = placed.at === "nowhere" && placed.code === "state-too-new" && !message.isUnfit;
    message.place(isOnlyTooNew ? this.#parts.place(type, key, message, undefined) : placed);
  }

  /** Returns the type of an agent that a worker holds under the epoch which it names. */
  #typeHeld(from: Peer, { type: name, key, epoch }: ClaimedAgent): SharedType | undefined {
    const type = this.#parts.sharedType(name);
    return type !== undefined && this.#parts.directory.holds(type, key, from.worker.id, epoch) ? type : undefined;
  }

  #leavingFrom(from: Peer, { type: name, key, epoch }: ClaimedAgent): MovingAgent | undefined {
    const type = this.#parts.sharedType(name);
    const agent = type && this.find(type, key);
    if (agent?.at !== "leaving" || agent.claim.workerId !== from.worker.id) return undefined;
    return compareEpochs(agent.claim.epoch, epoch) === 0 ? agent : undefined;
  }

  #observeGiven({ type: agentType, key, workerId }: Claim, { id: clientId }: Peer): void {
    this.#parts.observers.now?.({ at: "claim", what: "given", agentType, key, workerId, clientId });
  }
}
