import { RingWatch, type WaitingCall } from "../../../core/internal.ts";
import { parsePath, type StuckFrame, type UnstuckFrame } from "../../../protocol/internal.ts";
import { FairShare } from "../../../transport/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import type { MutableHostCounters } from "../../counters.ts";
import { limits } from "../../limits.ts";
import type { Peer } from "../../sessions/peer.ts";
import type { PendingCall } from "../../sessions/pending-call.ts";
import type { ClusterRings } from "./cluster-rings.ts";
import { costOfReport } from "./report-cost.ts";

export interface CallRingsParts {
  readonly counters: MutableHostCounters;
  /** Runs the search for a ring, which may be long. */
  readonly batches: BatchRunner;
  /** Finds a pending call by the request id that its target sees. */
  readonly callNamed: (idText: string) => PendingCall | undefined;
  /** Whether the host has sent a call under this request id, and no caller waits for it any more. */
  readonly isOver: (idText: string) => boolean;
  /** Whether it has made this request id. */
  readonly isOwn: (idText: string) => boolean;
  /** The search for rings over several hosts. */
  readonly cluster: Pick<ClusterRings, "isInUse" | "reported" | "forgotten">;
  /** Ends the call of a ring that was reported last. `ring`: the agents of the ring, for the error. */
  readonly onRing: (call: PendingCall, ring: string) => void;
}

// protocol.md §11.13
/**
 * The calls that workers report because they wait long for their turn, and the search for those that wait for each other. A worker may
 * report only pending calls that it was sent. What is kept is on its account, and its address has a fair share of the reports.
 */
export class CallRings {
  readonly #parts: CallRingsParts;
  readonly #share = new FairShare(limits.stuckCalls);
  readonly #watch: RingWatch<PendingCall>;

  constructor(parts: CallRingsParts) {
    this.#parts = parts;
    this.#watch = new RingWatch({
      maxCalls: limits.stuckCalls,
      // The token of a call's turn is the request id under which the host has sent the call.
      // In a cluster another host may know that a call is over. So a ring is judged here only if all its calls are this host's.
      isOver: ({ token }) => parts.isOver(token) || (parts.cluster.isInUse && !parts.isOwn(token)),
      onRing: (call, ring) => {
        this.#release(call);
        parts.onRing(call, ring);
      },
      work: (call, tasks) => {
        const { id, account } = call.target ?? call.caller;
        parts.batches.add(id, tasks, account.party);
      },
    });
  }

  /** The number of calls that are reported now. */
  get size(): number {
    return this.#watch.size;
  }

  report(from: Peer, { requestId, path: text, behind }: StuckFrame): void {
    const { counters } = this.#parts;
    const call = this.#callOf(from, requestId);
    // A forged report costs no reading of its path.
    const path = call === undefined ? [] : parsePath(text);
    if (call === undefined || path.length === 0 || !isWithinLimits(behind)) {
      // The call has ended meanwhile, or the worker reports what it must not.
      counters.unmatchedReports += 1;
      return;
    }
    this.#watchCall(call, { path, behind }, from);
  }

  /** Reports a call that waits for an agent to leave its worker. The report is on the account of the caller. */
  reportHeld(call: PendingCall, waiting: WaitingCall): void {
    this.#watchCall(call, waiting, call.caller);
  }

  withdraw(from: Peer, { requestId }: UnstuckFrame): void {
    const call = this.#callOf(from, requestId);
    if (call !== undefined) this.forget(call);
  }

  /** Forgets the report of a call, if there is one. */
  forget(call: PendingCall): void {
    if (call.reportBytes === 0) return;
    this.#watch.withdraw(call);
    this.#release(call);
  }

  /** The search over several hosts has found that the call is in a ring. */
  breakRing(call: PendingCall, ring: string): void {
    this.forget(call);
    this.#parts.onRing(call, ring);
  }

  #watchCall(call: PendingCall, waiting: WaitingCall, reporter: Peer): void {
    // A later report replaces the first one, whose place in the order stays.
    if (call.reportBytes > 0) this.#release(call);
    const bytes = costOfReport(waiting);
    const { account } = reporter;
    if (!this.#share.mayAdd(account.party) || !account.take(bytes)) {
      this.#watch.withdraw(call);
      this.#parts.counters.unwatchedCalls += 1;
      return;
    }
    this.#share.add(account.party);
    call.reportBytes = bytes;
    call.reporter = reporter;
    this.#parts.cluster.reported(call, waiting);
    this.#watch.report(call, waiting);
  }

  #callOf(from: Peer, requestId: string): PendingCall | undefined {
    const call = this.#parts.callNamed(requestId);
    return call?.target === from ? call : undefined;
  }

  #release(call: PendingCall): void {
    const { reporter, reportBytes } = call;
    call.reportBytes = 0;
    call.reporter = undefined;
    this.#parts.cluster.forgotten(call);
    if (reporter === undefined) return;
    reporter.account.release(reportBytes);
    this.#share.remove(reporter.account.party);
  }
}

function isWithinLimits(behind: readonly string[]): boolean {
  if (behind.length === 0 || behind.length > limits.stuckBehind) return false;
  return behind.every((token) => token.length <= limits.nameChars);
}
