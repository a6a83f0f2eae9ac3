import type { Clock, Timer } from "../../core/internal.ts";
import { encodeFrame, type LeaveReason } from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import { limits } from "../limits.ts";
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

/** Notices of one worker that its queue did not take, or that are for later. */
interface Unsaid {
  readonly agents: Set<MovingAgent>;
  /** Agents that are to be said once more. */
  again: Iterable<MovingAgent>;
  isDone: boolean;
  isBeingSaid: boolean;
}

// protocol.md §11.17
/**
 * Says to workers which agents leave, on the newest data channel, behind the last message under their claims. A notice that the queue of a
 * worker does not take is said later: nothing more is sent under these claims meanwhile.
 */
export class LeaveNotices {
  readonly #parts: LeaveNoticesParts;
  readonly #unsaid = new Map<string, Unsaid>();
  #timer: Timer | undefined;

  constructor(parts: LeaveNoticesParts) {
    this.#parts = parts;
  }

  /** Says that agents of a worker leave, those of one reason together. */
  say(workerId: string, agents: Iterable<MovingAgent>): void {
    const byReason = new Map<LeaveReason, MovingAgent[]>();
    for (const agent of agents) {
      const same = byReason.get(agent.reason);
      if (same === undefined) byReason.set(agent.reason, [agent]);
      else same.push(agent);
    }
    for (const [reason, same] of byReason) for (const lot of lotsOf(same)) this.#sayLot(workerId, reason, lot);
  }

  /**
   * Says soon, once more, that these agents leave: however many channels the worker loses meanwhile. `agents`: as they are then.
   */
  sayAgain(workerId: string, agents: Iterable<MovingAgent>): void {
    this.#unsaidOf(workerId).again = agents;
    this.#sayLater();
  }

  /** Says that a worker holds no claim any more. */
  sayDone(workerId: string): void {
    if (this.#unsaid.has(workerId) || !this.#send(workerId, "draining", [])) {
      this.#unsaidOf(workerId).isDone = true;
      this.#sayLater();
    }
  }

  /** The worker has no channel any more. */
  forget(workerId: string): void {
    this.#unsaid.delete(workerId);
  }

  close(): void {
    this.#timer?.cancel();
    this.#unsaid.clear();
  }

  #sayLot(workerId: string, reason: LeaveReason, lot: readonly MovingAgent[]): void {
    // Behind a notice that the queue did not take, further ones would be encoded in vain.
    if (!this.#unsaid.has(workerId) && this.#send(workerId, reason, lot)) return;
    const { agents } = this.#unsaidOf(workerId);
    for (const agent of lot) agents.add(agent);
    this.#sayLater();
  }

  #send(workerId: string, reason: LeaveReason, agents: readonly MovingAgent[]): boolean {
    const peer = this.#parts.workers.peerOf(workerId);
    // The end of its last channel ends its claims.
    if (peer === undefined) return true;
    const graceMs = agents.length === 0 ? 0 : this.#parts.graceMsOf(workerId, reason);
    const notice = encodeFrame({ kind: "leave", agents: agents.map(({ claim }) => claim), reason, graceMs });
    return peer.send(notice, "notice") !== "full";
  }

  #unsaidOf(workerId: string): Unsaid {
    const known = this.#unsaid.get(workerId);
    if (known !== undefined) return known;
    const unsaid = { agents: new Set<MovingAgent>(), again: [], isDone: false, isBeingSaid: false };
    this.#unsaid.set(workerId, unsaid);
    return unsaid;
  }

  #sayLater(): void {
    const { clock, batches, workers } = this.#parts;
    this.#timer ??= clock.setTimer(limits.leaveRetryMs, () => {
      this.#timer = undefined;
      for (const [workerId, unsaid] of [...this.#unsaid]) {
        if (unsaid.isBeingSaid) continue;
        unsaid.isBeingSaid = true;
        batches.add(unsaid, this.#sayings(workerId, unsaid), workers.peerOf(workerId)?.account.party);
      }
    });
  }

  *#sayings(workerId: string, unsaid: Unsaid): Iterable<() => void> {
    let isFull = false;
    while (!isFull && this.#unsaid.get(workerId) === unsaid) {
      yield () => {
        isFull = !this.#sayNext(workerId, unsaid);
      };
    }
    unsaid.isBeingSaid = false;
    if (isFull) this.#sayLater();
  }

  /** Says a few of the agents that wait to be said. False: the queue of the worker is full. */
  #sayNext(workerId: string, unsaid: Unsaid): boolean {
    const { agents } = unsaid;
    for (const agent of unsaid.again) agents.add(agent);
    unsaid.again = [];
    const lot: MovingAgent[] = [];
    for (const agent of agents) {
      if (agent.at !== "leaving" || agent.claim.workerId !== workerId) agents.delete(agent);
      else if (agent.reason === (lot[0] ?? agent).reason) lot.push(agent);
      if (lot.length >= limits.leaveLaterLot) break;
    }
    const [first] = lot;
    if (first !== undefined) {
      for (const part of lotsOf(lot)) {
        if (!this.#send(workerId, first.reason, part)) return false;
        for (const agent of part) agents.delete(agent);
      }
      return true;
    }
    if (unsaid.isDone && !this.#send(workerId, "draining", [])) return false;
    if (this.#unsaid.get(workerId) === unsaid) this.#unsaid.delete(workerId);
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
