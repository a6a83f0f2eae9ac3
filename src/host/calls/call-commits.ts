import type { PeekedResponse } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { Placement } from "../placement/placement.ts";
import type { Peer } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import type { CallEndings } from "./call-endings.ts";
import type { CallEnds } from "./call-ends.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import type { CallTable } from "./call-table.ts";

export interface CallCommitsParts {
  readonly calls: CallTable;
  readonly ends: CallEnds;
  readonly endings: CallEndings;
  readonly placement: Placement;
  readonly counters: MutableHostCounters;
  readonly isDraining: () => boolean;
}

// protocol.md §11.15
/** Calls whose answers ride on commits: the commit decides them. */
export class CallCommits {
  readonly #parts: CallCommitsParts;

  constructor(parts: CallCommitsParts) {
    this.#parts = parts;
  }

  /**
   * Keeps the call of an answer that rides on a commit. From now on the commit decides it: no end of its worker, no time limit and no
   * drain ends it. Undefined: there is no such call, or it is not this worker's.
   */
  keep(from: Peer, response: PeekedResponse): PendingCall | undefined {
    const call = this.#parts.calls.answeredBy(response);
    if (call?.target !== from) return undefined;
    call.commits += 1;
    return call;
  }

  /**
   * The commit of a kept call is decided. A call that is still pending continues, unless it should have ended meanwhile. `failure`: for a
   * caller whose worker is gone.
   */
  release(call: PendingCall, failure: ((agentType: string) => CallFailure) | undefined): void {
    const { calls, ends, endings, placement, counters, isDraining } = this.#parts;
    call.commits -= 1;
    const decided = failure?.(call.targetType);
    if (decided?.code === "state-unknown") call.isInDoubt = true;
    if (call.commits > 0 || !calls.has(call)) return;
    if (call.target?.isOpen !== true) return ends.end(call, decided ?? callFailure.disconnected(call.targetType));
    if (isDraining()) return endings.cutShort(call);
    if (placement.isRevoked(call.target)) return ends.end(call, callFailure.revoked(call.targetType));
    if (!calls.isOverdue(call)) return;
    if (call.stream?.answer === undefined) counters.timedOutCalls += 1;
    if (calls.take(call)) ends.timeOut(call);
  }
}
