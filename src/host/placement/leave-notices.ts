import type { Clock, Timer } from "../../core/internal.ts";
import { encodeFrame, type LeaveReason } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { MovingAgent } from "./moving-agent.ts";
import type { Workers } from "./workers.ts";

export interface LeaveNoticesParts {
  readonly clock: Clock;
  readonly workers: Workers;
  /** Milliseconds that an agent has which leaves for this reason; 0: any time. */
  readonly graceMsOf: (workerId: string, reason: LeaveReason) => number;
}

/** Notices of one worker that its queue did not take. */
interface Unsaid {
  readonly agents: Set<MovingAgent>;
  isDone: boolean;
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

  /** Says that a worker holds no claim any more. */
  sayDone(workerId: string): void {
    if (this.#unsaid.get(workerId)?.agents.size || !this.#send(workerId, "draining", [])) {
      this.#unsaidOf(workerId).isDone = true;
      this.#retryLater();
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
    if (this.#send(workerId, reason, lot)) return;
    const { agents } = this.#unsaidOf(workerId);
    for (const agent of lot) agents.add(agent);
    this.#retryLater();
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
    const unsaid = this.#unsaid.get(workerId) ?? { agents: new Set<MovingAgent>(), isDone: false };
    this.#unsaid.set(workerId, unsaid);
    return unsaid;
  }

  #retryLater(): void {
    this.#timer ??= this.#parts.clock.setTimer(limits.leaveRetryMs, () => {
      this.#timer = undefined;
      for (const [workerId, { agents, isDone }] of [...this.#unsaid]) {
        this.#unsaid.delete(workerId);
        this.say(
          workerId,
          [...agents].filter(({ at, claim }) => at === "leaving" && claim.workerId === workerId),
        );
        if (isDone) this.sayDone(workerId);
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
