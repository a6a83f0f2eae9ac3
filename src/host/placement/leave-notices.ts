import type { Clock, Timer } from "../../core/internal.ts";
import { type ClaimedAgent, encodeFrame, type LeaveReason } from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import { limits } from "../limits.ts";
import type { Peer } from "../sessions/peer.ts";
import type { MovingAgent } from "./moving-agent.ts";
import type { Workers } from "./workers.ts";

export interface LeaveNoticesParts {
  readonly clock: Clock;
  readonly workers: Workers;
  /** Says notices that wait in turns with other work. */
  readonly batches: BatchRunner;
  /** Milliseconds that an agent has which leaves for this reason; 0: any time. */
  readonly graceMsOf: (workerId: string, reason: LeaveReason) => number;
}

/** Notices that the queue of one channel did not take, or that are for later. */
interface Unsaid {
  readonly agents: Set<MovingAgent>;
  isDone: boolean;
  isBeingSaid: boolean;
}

// protocol.md §11.17
/**
 * Says to workers which agents leave, behind the last message under their claims. While a worker changes its connection, it has messages on
 * two channels, and is told on both. A notice that the queue of a channel does not take is said later: nothing more is sent under these
 * claims meanwhile.
 */
export class LeaveNotices {
  readonly #parts: LeaveNoticesParts;
  readonly #unsaid = new Map<Peer, Unsaid>();
  /** Agents of workers that have lost channels: some of them may have to be said once more. */
  readonly #again = new Map<string, Iterable<MovingAgent>>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(parts: LeaveNoticesParts) {
    this.#parts = parts;
  }

  /** Says on each channel of a worker that agents of it leave. */
  say(workerId: string, agents: readonly MovingAgent[]): void {
    if (agents.length === 0) return;
    for (const peer of this.#channelsOf(workerId)) {
      for (const agent of agents) agent.unanswered.add(peer);
      this.#sayOn(peer, agents);
    }
  }

  /**
   * A worker has lost a channel. Soon the host says once more that these agents leave, but for those that have still to answer on another
   * channel. It says so once, however many channels the worker loses meanwhile. `agents`: as they are then.
   */
  sayAgain(workerId: string, agents: Iterable<MovingAgent>): void {
    this.#again.set(workerId, agents);
    this.#sayLater();
  }

  /** Says that a worker holds no claim any more. */
  sayDone(workerId: string): void {
    this.#again.delete(workerId);
    const peer = this.#parts.workers.peerOf(workerId);
    // The end of its last channel ends its claims.
    if (peer === undefined) return;
    if (this.#unsaid.has(peer) || !this.#send(peer, "draining", [])) {
      this.#unsaidOf(peer).isDone = true;
      this.#sayLater();
    }
  }

  /** Says that agents leave which a worker does not hold any more, and for which it has asked. If the queue is full, it asks again. */
  sayUnheld(peer: Peer, agents: readonly ClaimedAgent[], reason: LeaveReason): void {
    if (agents.length > 0) peer.send(encodeFrame({ kind: "leave", agents, reason, graceMs: 0 }), "notice");
  }

  /**
   * Whether the worker of an agent has yet to say `left` on a channel. One that has ended waits for no answer. On one that the worker leaves
   * (`leaving`), it may still give back what was on its way.
   */
  isUnanswered({ unanswered }: MovingAgent): boolean {
    for (const peer of unanswered) if (!peer.isOpen) unanswered.delete(peer);
    return unanswered.size > 0;
  }

  /** From now on nothing is said later. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#unsaid.clear();
    this.#again.clear();
  }

  #channelsOf(workerId: string): readonly Peer[] {
    const newest = this.#parts.workers.peersOf(workerId).slice(-limits.leaveChannels);
    return newest.filter(({ traits }) => traits.capabilities.has("claims"));
  }

  /** Those of one reason go together. */
  #sayOn(peer: Peer, agents: readonly MovingAgent[]): void {
    const byReason = new Map<LeaveReason, MovingAgent[]>();
    for (const agent of agents) {
      const same = byReason.get(agent.reason);
      if (same === undefined) byReason.set(agent.reason, [agent]);
      else same.push(agent);
    }
    for (const [reason, same] of byReason) for (const lot of lotsOf(same)) this.#sayLot(peer, reason, lot);
  }

  #sayLot(peer: Peer, reason: LeaveReason, lot: readonly MovingAgent[]): void {
    // Behind a notice that the queue did not take, further ones would be encoded in vain.
    if (!this.#unsaid.has(peer) && this.#send(peer, reason, lot)) return;
    const { agents } = this.#unsaidOf(peer);
    for (const agent of lot) agents.add(agent);
    this.#sayLater();
  }

  #send(peer: Peer, reason: LeaveReason, agents: readonly MovingAgent[]): boolean {
    const graceMs = agents.length === 0 ? 0 : this.#parts.graceMsOf(peer.worker.id, reason);
    const notice = encodeFrame({ kind: "leave", agents: agents.map(({ claim }) => claim), reason, graceMs });
    return peer.send(notice, "notice") !== "full";
  }

  #unsaidOf(peer: Peer): Unsaid {
    const known = this.#unsaid.get(peer);
    if (known !== undefined) return known;
    const unsaid = { agents: new Set<MovingAgent>(), isDone: false, isBeingSaid: false };
    this.#unsaid.set(peer, unsaid);
    return unsaid;
  }

  #sayLater(): void {
    if (this.#isClosed) return;
    const { clock, batches, workers } = this.#parts;
    this.#timer ??= clock.setTimer(limits.leaveRetryMs, () => {
      this.#timer = undefined;
      for (const [workerId, agents] of this.#again) {
        batches.add(agents, [() => this.#collectAgain(workerId, agents)], workers.peerOf(workerId)?.account.party);
      }
      this.#again.clear();
      for (const [peer, unsaid] of [...this.#unsaid]) this.#sayUnsaid(peer, unsaid);
    });
  }

  /** Finds the agents that wait for the answer of no channel, and says that they leave. */
  #collectAgain(workerId: string, agents: Iterable<MovingAgent>): void {
    const unheard = [...agents].filter(
      (agent) => agent.at === "leaving" && agent.claim.workerId === workerId && !this.isUnanswered(agent),
    );
    if (unheard.length === 0) return;
    for (const peer of this.#channelsOf(workerId)) {
      const unsaid = this.#unsaidOf(peer);
      for (const agent of unheard) {
        agent.unanswered.add(peer);
        unsaid.agents.add(agent);
      }
      this.#sayUnsaid(peer, unsaid);
    }
  }

  #sayUnsaid(peer: Peer, unsaid: Unsaid): void {
    if (unsaid.isBeingSaid) return;
    unsaid.isBeingSaid = true;
    this.#parts.batches.add(unsaid, this.#sayings(peer, unsaid), peer.account.party);
  }

  *#sayings(peer: Peer, unsaid: Unsaid): Iterable<() => void> {
    let isFull = false;
    while (!isFull && this.#unsaid.get(peer) === unsaid) {
      yield () => {
        isFull = !this.#sayNext(peer, unsaid);
      };
    }
    unsaid.isBeingSaid = false;
    if (isFull) this.#sayLater();
  }

  /** Says a few of the agents that wait to be said. False: the queue of the channel is full. */
  #sayNext(peer: Peer, unsaid: Unsaid): boolean {
    if (!this.#parts.workers.has(peer)) {
      this.#unsaid.delete(peer);
      if (unsaid.isDone) this.sayDone(peer.worker.id);
      return true;
    }
    const { agents } = unsaid;
    const lot: MovingAgent[] = [];
    for (const agent of agents) {
      // It has left or stayed.
      if (!agent.unanswered.has(peer)) agents.delete(agent);
      else if (agent.reason === (lot[0] ?? agent).reason) lot.push(agent);
      if (lot.length >= limits.leaveLaterLot) break;
    }
    const [first] = lot;
    if (first !== undefined) {
      for (const part of lotsOf(lot)) {
        if (!this.#send(peer, first.reason, part)) return false;
        for (const agent of part) agents.delete(agent);
      }
      return true;
    }
    if (unsaid.isDone && !this.#send(peer, "draining", [])) return false;
    if (this.#unsaid.get(peer) === unsaid) this.#unsaid.delete(peer);
    return true;
  }
}

/** A key of a shared agent is short, but a thousand long ones would be a long message. */
function* lotsOf(agents: readonly MovingAgent[]): Iterable<readonly MovingAgent[]> {
  let lot: MovingAgent[] = [];
  let chars = 0;
  for (const agent of agents) {
    const own = agent.type.name.length + agent.key.length;
    if (lot.length >= limits.leaveLot || (lot.length > 0 && chars + own > limits.leaveLotChars)) {
      yield lot;
      lot = [];
      chars = 0;
    }
    lot.push(agent);
    chars += own;
  }
  if (lot.length > 0) yield lot;
}
