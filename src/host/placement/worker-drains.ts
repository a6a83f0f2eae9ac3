import { type Clock, followAbort, type Timer, unfollowAbort } from "../../core/internal.ts";
import { encodeFrame } from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { Peer } from "../sessions/peer.ts";
import type { AgentDirectory } from "./agent-directory.ts";
import type { LeaveNotices } from "./leave-notices.ts";
import type { AcrossSeat, LeavingAgents } from "./leaving-agents.ts";
import type { Workers } from "./workers.ts";

/** Options of `drainWorker`. */
export interface DrainWorkerOptions {
  /** Milliseconds that the agents of the worker have to leave. Default: the host's `drainGraceMs`. */
  readonly graceMs?: number | undefined;
  /** Ends the wait: `drainWorker` rejects with the reason. The worker is drained all the same. */
  readonly signal?: AbortSignal | undefined;
}

/** The outcome of `drainWorker`. */
export type DrainOutcome =
  /**
   * The worker holds no agent of a shared type any more. The time was over for those that were revoked. `hasAnswered`: whether the worker has
   * said that it stops. One that has not by the end of the time hangs, or still starts.
   */
  | {
      readonly at: "drained";
      readonly leftAgents: number;
      readonly revokedAgents: number;
      readonly hasAnswered: boolean;
    }
  /** The worker has ended its channel, or was lost, while it held agents, or the host stops. These agents are placed anew. */
  | { readonly at: "gone"; readonly leftAgents: number }
  /** The worker cannot let agents go: a stock worker. It gets no new agents of shared types, and keeps those that it has. */
  | { readonly at: "keeps-agents" }
  /** No worker with this id has a channel. */
  | { readonly at: "unknown" };

/** A worker that stops, from the first word of it until its last channel ends. */
interface Drain {
  readonly workerId: string;
  dueMs: number;
  /** Milliseconds that an operator has given. Undefined: no operator has. */
  operatorMs: number | undefined;
  /** The worker has said that it stops. */
  hasAnswered: boolean;
  /** The time of its agents is over. */
  isOver: boolean;
  timer: Timer | undefined;
  /** Set while the worker has claims that are about to be freed without it. */
  nextLook: Timer | undefined;
  /** Set while the queue of the worker's channel does not take the `drain`. */
  nextTell: Timer | undefined;
  leftAgents: number;
  revokedAgents: number;
  /** Set when the worker holds no agent any more. */
  outcome: DrainOutcome | undefined;
  readonly waiters: Set<(outcome: DrainOutcome) => void>;
}

export interface WorkerDrainsParts {
  readonly directory: AgentDirectory;
  readonly workers: Workers;
  readonly leaving: LeavingAgents;
  readonly notices: LeaveNotices;
  readonly batches: BatchRunner;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
  readonly drainGraceMs: number;
  /** A worker gets no new agents from now on. */
  readonly onDraining: (workerId: string) => void;
  /** Set where a cluster has the claims: no host may revoke them. */
  readonly across: AcrossSeat<unknown>;
  readonly endChannels: (channels: readonly Peer[]) => void;
  /** Ends the calls that a worker has for agents of shared types, whose claims are revoked. */
  readonly endCalls: (peers: readonly Peer[]) => void;
}

// protocol.md §11.17
/** Lets the agents of workers that stop go, within the time of each; then it revokes the rest. */
export class WorkerDrains {
  readonly #parts: WorkerDrainsParts;
  readonly #drains = new Map<string, Drain>();
  /** Milliseconds that an operator gave workers which were lost before they answered. The oldest first. */
  readonly #unheard = new Map<string, number>();
  #isClosed = false;

  constructor(parts: WorkerDrainsParts) {
    this.#parts = parts;
  }

  /** Milliseconds that the agents of a worker still have; 0: any time. */
  graceMsOf(workerId: string): number {
    const drain = this.#drains.get(workerId);
    if (drain === undefined) return 0;
    return Math.min(Math.max(1, Math.ceil(drain.dueMs - this.#parts.clock.now())), limits.timerMs);
  }

  /** The worker says that it stops. `graceMs`: 0 for the host's. */
  workerLeaves(peer: Peer, graceMs: number): void {
    const { workers, drainGraceMs, notices } = this.#parts;
    // The host ends this channel, and with it the worker's claims.
    if (this.#isClosed) return;
    const workerId = peer.worker.id;
    const known = this.#drains.get(workerId);
    if (known !== undefined) known.hasAnswered = true;
    // It had no agents, or has lost them, before it said this.
    if (known?.outcome !== undefined) return notices.sayDone(workerId);
    if (workers.peerOf(workerId) === undefined) return;
    const drain = known ?? this.#begin(workerId, graceMs || drainGraceMs);
    drain.hasAnswered = true;
    if (drain.operatorMs === undefined && graceMs > 0) this.#setTime(drain, graceMs);
    this.#goOn(drain);
  }

  // protocol.md §11.17 L11
  /** A worker opens a channel. If it has not answered an operator's drain, it may not have read it: it is told again. */
  workerOpened(peer: Peer): void {
    const workerId = peer.worker.id;
    const unheardMs = this.#unheard.get(workerId);
    const drain = this.#drains.get(workerId);
    if (unheardMs !== undefined) void this.drainWorker(workerId, { graceMs: unheardMs });
    else if (drain?.operatorMs !== undefined && !drain.hasAnswered) this.#tell(drain);
  }

  /** An operator wants the worker to stop. Resolves once the worker has said so and holds no agent of a shared type, or its time is over. */
  drainWorker(workerId: string, options: DrainWorkerOptions): Promise<DrainOutcome> {
    const { graceMs = this.#parts.drainGraceMs, signal } = options;
    const peer = this.#parts.workers.peerOf(workerId);
    if (peer === undefined) return Promise.resolve({ at: "unknown" });
    if (!peer.traits.capabilities.has("claims")) {
      this.#parts.workers.setDraining(workerId);
      this.#parts.onDraining(workerId);
      return Promise.resolve({ at: "keeps-agents" });
    }
    if (this.#isClosed) return Promise.resolve({ at: "gone", leftAgents: 0 });
    const drain = this.#drains.get(workerId) ?? this.#begin(workerId, graceMs);
    this.#unheard.delete(workerId);
    drain.operatorMs = graceMs;
    this.#setTime(drain, graceMs);
    this.#tell(drain);
    this.#goOn(drain);
    return outcomeOf(drain, signal);
  }

  /** Claims of a worker are free. */
  left(workerId: string): void {
    const drain = this.#drains.get(workerId);
    if (drain === undefined) return;
    drain.leftAgents += 1;
    this.#goOn(drain);
  }

  /** The worker has no channel any more. */
  workerGone(workerId: string): void {
    const drain = this.#drains.get(workerId);
    if (drain === undefined) return;
    this.#drains.delete(workerId);
    drain.nextTell?.cancel();
    if (drain.operatorMs !== undefined && !drain.hasAnswered) this.#remember(workerId, drain.operatorMs);
    this.#end(drain, { at: "gone", leftAgents: drain.leftAgents });
  }

  /** The host ends, and with it each worker's channels: it lets no agent go any more, and begins no drain. */
  close(): void {
    this.#isClosed = true;
    for (const drain of this.#drains.values()) {
      drain.nextTell?.cancel();
      this.#end(drain, { at: "gone", leftAgents: drain.leftAgents });
    }
    this.#drains.clear();
    this.#unheard.clear();
    this.#parts.notices.close();
  }

  #begin(workerId: string, graceMs: number): Drain {
    const drain: Drain = {
      ...{
        workerId,
        dueMs: 0,
        operatorMs: undefined,
        hasAnswered: false,
        isOver: false,
        leftAgents: 0,
        revokedAgents: 0,
      },
      ...{ timer: undefined, nextLook: undefined, nextTell: undefined, outcome: undefined, waiters: new Set() },
    };
    this.#drains.set(workerId, drain);
    this.#setTime(drain, graceMs);
    this.#parts.workers.setDraining(workerId);
    this.#parts.onDraining(workerId);
    return drain;
  }

  /** Says to a worker that an operator wants it to stop, once the queue of its channel takes that. */
  #tell(drain: Drain): void {
    const { workers, clock, counters } = this.#parts;
    drain.nextTell?.cancel();
    const leftMs = Math.max(0, Math.ceil(drain.dueMs - clock.now()));
    const notice = encodeFrame({ kind: "drain", graceMs: Math.min(leftMs, limits.timerMs) });
    if (workers.peerOf(drain.workerId)?.send(notice, "notice") !== "full") return;
    counters.lostNotices += 1;
    drain.nextTell = clock.setTimer(limits.leaveRetryMs, () => this.#tell(drain));
  }

  #remember(workerId: string, graceMs: number): void {
    this.#unheard.set(workerId, graceMs);
    if (this.#unheard.size > limits.unheardDrains)
      for (const [oldest] of this.#unheard) return void this.#unheard.delete(oldest);
  }

  #setTime(drain: Drain, graceMs: number): void {
    const { clock } = this.#parts;
    drain.timer?.cancel();
    if (drain.outcome !== undefined) return;
    drain.dueMs = clock.now() + graceMs;
    drain.timer = clock.setTimer(graceMs, () => this.#revoke(drain));
  }

  /** Lets the next agents go, or ends when there are none. */
  #goOn(drain: Drain): void {
    if (drain.outcome !== undefined) return;
    const { directory, leaving, batches } = this.#parts;
    const { workerId } = drain;
    const [count, under] = [directory.countOf(workerId), leaving.countOf(workerId)];
    if (leaving.givingOf(workerId) > 0) return;
    if (count === 0) {
      const { operatorMs, leftAgents, revokedAgents, hasAnswered, isOver } = drain;
      // A worker that still starts says later that it stops, and goes on until then.
      if (operatorMs !== undefined && !hasAnswered && !isOver) return;
      this.#parts.notices.sayDone(workerId);
      this.#end(drain, { at: "drained", leftAgents, revokedAgents, hasAnswered });
    } else if (count > under && under <= limits.leavingOfDrain - limits.leaveLot) {
      batches.add(drain, this.#lotsOf(drain), this.#parts.workers.peerOf(workerId)?.account.party);
    }
  }

  *#lotsOf(drain: Drain): Iterable<() => void> {
    const { directory, leaving, workers } = this.#parts;
    const { workerId } = drain;
    let isMore = true;
    while (
      isMore &&
      drain.outcome === undefined &&
      leaving.countOf(workerId) <= limits.leavingOfDrain - limits.leaveLot
    ) {
      yield () => {
        const peer = workers.peerOf(workerId);
        const claims = directory.claimsOf(workerId, limits.leaveLot, (claim) => leaving.isLeaving(claim));
        const begun = peer === undefined ? 0 : leaving.drain(peer, claims);
        isMore = claims.length === limits.leaveLot && begun > 0;
        // Claims of a type that is gone leave by no handshake: they are freed in batches.
        if (begun === 0 && claims.length > 0) this.#lookAgain(drain);
      };
    }
  }

  #lookAgain(drain: Drain): void {
    drain.nextLook ??= this.#parts.clock.setTimer(limits.leaveRetryMs, () => {
      drain.nextLook = undefined;
      this.#goOn(drain);
    });
  }

  /** The time is over: the worker loses the agents that it still has. */
  #revoke(drain: Drain): void {
    if (drain.outcome !== undefined) return;
    const { directory, workers, leaving, counters, observers, endCalls } = this.#parts;
    const { workerId } = drain;
    const peers = [...workers.peersOf(workerId)];
    const count = directory.countOf(workerId);
    drain.isOver = true;
    if (count === 0) return this.#goOn(drain);
    // protocol.md §12.8: the agents are free when the lease of the worker is over, which ends with its channels.
    if (this.#parts.across.now !== undefined) return this.#parts.endChannels(peers);
    drain.revokedAgents = count;
    counters.revokedClaims += count;
    workers.setRevoked(workerId);
    directory.workerGone(workerId);
    const clientId = peers.at(-1)?.id ?? "";
    observers.now?.({ at: "claim", what: "revoked", workerId, clientId, count });
    endCalls(peers);
    leaving.claimsEnded(workerId);
    this.#goOn(drain);
  }

  #end(drain: Drain, outcome: DrainOutcome): void {
    drain.timer?.cancel();
    drain.nextLook?.cancel();
    drain.outcome ??= outcome;
    for (const resolve of drain.waiters) resolve(drain.outcome);
    drain.waiters.clear();
  }
}

function outcomeOf(drain: Drain, signal: AbortSignal | undefined): Promise<DrainOutcome> {
  if (drain.outcome !== undefined) return Promise.resolve(drain.outcome);
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const settle = (outcome: DrainOutcome): void => {
      unfollowAbort(signal, onAbort);
      resolve(outcome);
    };
    const onAbort = (): void => {
      drain.waiters.delete(settle);
      reject(signal?.reason);
    };
    drain.waiters.add(settle);
    followAbort(signal, onAbort);
  });
}
