import type { Clock, Timer } from "../../core/internal.ts";
import { encodeFrame, type LeaveReason } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { Peer } from "../sessions/peer.ts";
import type { MovingAgent } from "./moving-agent.ts";
import type { Workers } from "./workers.ts";

export interface LeaveNoticesParts {
  readonly clock: Clock;
  readonly workers: Workers;
  /** Milliseconds that an agent has which leaves for this reason; 0: any time. */
  readonly graceMsOf: (workerId: string, reason: LeaveReason) => number;
}

/** Notices that the queue of one channel did not take. */
interface Unsaid {
  readonly agents: Set<MovingAgent>;
  isDone: boolean;
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
  #timer: Timer | undefined;

  constructor(parts: LeaveNoticesParts) {
    this.#parts = parts;
  }

  /** Says on each channel of a worker that agents of it leave. */
  say(workerId: string, agents: readonly MovingAgent[]): void {
    if (agents.length === 0) return;
    for (const peer of this.#parts.workers.peersOf(workerId).slice(-limits.leaveChannels)) {
      if (!peer.traits.capabilities.has("claims")) continue;
      for (const agent of agents) agent.unanswered.add(peer);
      this.#sayOn(peer, agents);
    }
  }

  /** Those of one reason go together. */
  #sayOn(peer: Peer, agents: Iterable<MovingAgent>): void {
    const byReason = new Map<LeaveReason, MovingAgent[]>();
    for (const agent of agents) {
      const same = byReason.get(agent.reason);
      if (same === undefined) byReason.set(agent.reason, [agent]);
      else same.push(agent);
    }
    for (const [reason, same] of byReason) for (const lot of lotsOf(same)) this.#sayLot(peer, reason, lot);
  }

  /** Says that a worker holds no claim any more. */
  sayDone(workerId: string): void {
    const peer = this.#parts.workers.peerOf(workerId);
    // The end of its last channel ends its claims.
    if (peer === undefined) return;
    if (this.#unsaid.get(peer)?.agents.size || !this.#send(peer, "draining", [])) {
      this.#unsaidOf(peer).isDone = true;
      this.#retryLater();
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#unsaid.clear();
  }

  #sayLot(peer: Peer, reason: LeaveReason, lot: readonly MovingAgent[]): void {
    if (this.#send(peer, reason, lot)) return;
    const { agents } = this.#unsaidOf(peer);
    for (const agent of lot) agents.add(agent);
    this.#retryLater();
  }

  #send(peer: Peer, reason: LeaveReason, agents: readonly MovingAgent[]): boolean {
    const graceMs = agents.length === 0 ? 0 : this.#parts.graceMsOf(peer.worker.id, reason);
    const notice = encodeFrame({ kind: "leave", agents: agents.map(({ claim }) => claim), reason, graceMs });
    return peer.send(notice, "notice") !== "full";
  }

  #unsaidOf(peer: Peer): Unsaid {
    const unsaid = this.#unsaid.get(peer) ?? { agents: new Set<MovingAgent>(), isDone: false };
    this.#unsaid.set(peer, unsaid);
    return unsaid;
  }

  #retryLater(): void {
    this.#timer ??= this.#parts.clock.setTimer(limits.leaveRetryMs, () => {
      this.#timer = undefined;
      for (const [peer, { agents, isDone }] of [...this.#unsaid]) {
        this.#unsaid.delete(peer);
        // A channel that has ended, and an agent that has stayed, wait for no answer.
        this.#sayOn(
          peer,
          [...agents].filter(({ unanswered }) => unanswered.has(peer)),
        );
        if (isDone) this.sayDone(peer.worker.id);
      }
    });
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
