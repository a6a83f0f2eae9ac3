import { compareEpochs } from "../../core/internal.ts";
import type { ClaimedAgent, LeaveReason } from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { HostObserver } from "../observer.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { Peer } from "../sessions/peer.ts";
import type { AgentDirectory, Claim } from "./agent-directory.ts";
import type { LeaveNotices } from "./leave-notices.ts";
import type { Placed } from "./located.ts";
import { countHeld, type HeldMessage, HeldMessages, type MovingAgent } from "./moving-agent.ts";
import type { Workers } from "./workers.ts";

export interface LeavingAgentsParts {
  readonly directory: AgentDirectory;
  readonly workers: Workers;
  readonly notices: LeaveNotices;
  /** Sends messages that waited in turns with other work. */
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  readonly observer: HostObserver | undefined;
  readonly sharedType: (name: string) => SharedType | undefined;
  /** Finds or chooses the worker of an agent that does not leave. `above`: its version must be higher. */
  readonly place: (type: SharedType, key: string, message: HeldMessage, above: string | undefined) => Placed;
  /** A claim of a worker is free. */
  readonly onLeft: (workerId: string) => void;
}

/** Entries in two tables and two sets, beside the names. */
const agentBytes = 800;

// protocol.md §11.17
/**
 * The agents of shared types that leave their workers, each by a handshake. What comes for such an agent waits. When it has left, the agent
 * is placed anew: first gets what its worker gave back, then what waited. Each agent has one claim at most, and a fixed way:
 * `leaving`, then `placing`, then it has no entry here.
 */
export class LeavingAgents {
  readonly #parts: LeavingAgentsParts;
  readonly #agents = new Map<SharedType, Map<string, MovingAgent>>();
  #count = 0;
  /** Those that leave, by their workers. */
  readonly #byWorker = new Map<string, Set<MovingAgent>>();
  readonly #messages = new HeldMessages();

  constructor(parts: LeavingAgentsParts) {
    this.#parts = parts;
  }

  /** Agents that leave, or whose messages are being sent. */
  get size(): number {
    return this.#count;
  }

  get heldCount(): number {
    return this.#messages.size;
  }

  /** How many agents of a worker leave. */
  countOf(workerId: string): number {
    return this.#byWorker.get(workerId)?.size ?? 0;
  }

  find(type: SharedType, key: string): MovingAgent | undefined {
    return this.#agents.get(type)?.get(key);
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
    notices.say(workerId, leaving);
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
    this.#parts.notices.say(peer.worker.id, leaving);
    return leaving.length;
  }

  /** Holds a message for an agent that moves. False: there is no space for it. */
  hold(agent: MovingAgent, message: HeldMessage): boolean {
    return this.#messages.mayAdd(agent, message) && this.#messages.add(agent, agent.held, message);
  }

  /** Holds the message no more. */
  forget(message: HeldMessage): void {
    this.#messages.remove(message);
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
    if (agent?.at !== "leaving" && this.#parts.directory.holds(type, key, claim.workerId, epoch)) {
      agent = this.#begin(type, claim, "failed", from);
      // Under a claim that goes on, the message would come back again and again.
      if (agent === undefined) return false;
      this.#parts.notices.say(claim.workerId, [agent]);
    }
    if (agent === undefined) {
      message.place(place(type, key, message, message.isUnfit ? (from.worker.version ?? "") : undefined));
      return true;
    }
    if (message.isUnfit) agent.above = from.worker.version ?? "";
    // The worker may have opened another channel meanwhile. What it gives back by this one keeps its place.
    const isNewest = this.#parts.workers.placeOf(from) >= agent.newest;
    return this.#messages.add(agent, isNewest ? agent.returnedOnNewest : agent.returned, message);
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
      const { claim } = agent;
      this.#parts.directory.letGo(agent.type, claim);
      this.#observeGiven(claim, from);
      this.#placeAnew(agent);
      this.#parts.onLeft(claim.workerId);
    }
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
    const agents = this.#agents.get(type);
    if (agents !== undefined) this.#endInBatches(agents.values(), type.name);
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
    const bytes = costOf(type, claim.key);
    if (reason === "draining") peer.account.add(bytes);
    else if (!peer.account.take(bytes)) return undefined;
    const { workers } = this.#parts;
    const newest = workers.placeOf(workers.peerOf(claim.workerId) ?? peer);
    const agent = known ?? newAgent(type, claim, { reason, peer, newest });
    if (known !== undefined) {
      // Messages of its move before are still being sent. They wait on, behind what this worker gives back.
      known.account.release(bytes);
      Object.assign(known, { at: "leaving", claim, reason, newest, account: peer.account });
      this.#messages.leaveAgain(known);
    }
    if (known === undefined) this.#enter(agent);
    this.#parts.directory.versions.changed(agent.key);
    const ofWorker = this.#byWorker.get(claim.workerId);
    if (ofWorker === undefined) this.#byWorker.set(claim.workerId, new Set([agent]));
    else ofWorker.add(agent);
    return agent;
  }

  /** The agent has left, or stays: sends what waited for it. */
  #placeAnew(agent: MovingAgent): void {
    const { workerId } = agent.claim;
    agent.at = "placing";
    agent.unanswered.clear();
    const ofWorker = this.#byWorker.get(workerId);
    ofWorker?.delete(agent);
    if (ofWorker?.size === 0) this.#byWorker.delete(workerId);
    this.#parts.batches.add(agent, this.#placements(agent), agent.account.party);
  }

  *#placements(agent: MovingAgent): Iterable<() => void> {
    while (agent.at === "placing" && countHeld(agent) > 0) {
      yield () => {
        if (agent.at === "placing") this.#placeNext(agent);
      };
    }
    if (agent.at === "placing") this.#end(agent);
  }

  #placeNext(agent: MovingAgent): void {
    const message = this.#messages.takeNext(agent);
    if (message === undefined) return;
    const { type, key, above } = agent;
    if (this.#parts.sharedType(type.name) !== type) return message.place(undefined);
    const placed = this.#parts.place(type, key, message, above);
    const isOnlyTooNew = placed.at === "nowhere" && placed.code === "state-too-new" && !message.isUnfit;
    message.place(isOnlyTooNew ? this.#parts.place(type, key, message, undefined) : placed);
  }

  #enter(agent: MovingAgent): void {
    const ofType = this.#agents.get(agent.type) ?? new Map<string, MovingAgent>();
    this.#agents.set(agent.type, ofType.set(agent.key, agent));
    this.#count += 1;
  }

  #end(agent: MovingAgent): void {
    const ofType = this.#agents.get(agent.type);
    if (ofType?.get(agent.key) !== agent) return;
    ofType.delete(agent.key);
    if (ofType.size === 0) this.#agents.delete(agent.type);
    this.#count -= 1;
    this.#parts.directory.versions.changed(agent.key);
    agent.account.release(costOf(agent.type, agent.key));
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
    this.#parts.observer?.({ at: "claim", what: "given", agentType, key, workerId, clientId });
  }
}

interface Leave {
  readonly reason: LeaveReason;
  readonly peer: Peer;
  readonly newest: number;
}

function newAgent(type: SharedType, claim: Claim, { reason, peer: { account }, newest }: Leave): MovingAgent {
  const [returned, returnedOnNewest, held] = [new Set<HeldMessage>(), new Set<HeldMessage>(), new Set<HeldMessage>()];
  return {
    type,
    key: claim.key,
    at: "leaving",
    claim,
    reason,
    unanswered: new Set(),
    newest,
    account,
    returned,
    returnedOnNewest,
    held,
    heldBytes: 0,
    ofParty: undefined,
    above: undefined,
  };
}

function costOf({ name }: SharedType, key: string): number {
  return agentBytes + 4 * (name.length + key.length);
}
