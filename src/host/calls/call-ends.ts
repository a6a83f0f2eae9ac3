import { type CancelFrame, type CancelReason, encodeFrame, type FrameHead } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { Peer } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import type { CallOutcomes } from "./call-outcomes.ts";
import type { BadFrame } from "./call-refusals.ts";
import type { CallTable } from "./call-table.ts";

export interface CallEndsParts {
  readonly calls: CallTable;
  readonly outcomes: CallOutcomes;
  readonly counters: MutableHostCounters;
  /** The call has its outcome, or no caller waits for one: forgets where it waited. */
  readonly onOver: (call: PendingCall) => void;
}

/** Ends single calls in every other way than by the answer of their target. Each has one outcome: it leaves the table first. */
export class CallEnds {
  readonly #parts: CallEndsParts;

  constructor(parts: CallEndsParts) {
    this.#parts = parts;
  }

  /** Ends a call with a failure, if it has no outcome yet. One in doubt says so, since its worker can't any more. */
  end(call: PendingCall, failure: CallFailure): void {
    if (this.#parts.calls.take(call)) this.fail(call, call.isInDoubt ? callFailure.inDoubt(call.targetType) : failure);
  }

  // protocol.md §11.21
  /** Answers a call with the answer that was kept for it. */
  answer(call: PendingCall): void {
    const answer = call.stream?.answer;
    if (answer !== undefined && this.#parts.calls.take(call)) this.#parts.outcomes.answer(call, answer);
  }

  /** Answers a call that has left the table with a failure. One whose answer waits for chunks has its answer: what it did is written. */
  fail(call: PendingCall, failure: CallFailure): void {
    const { onOver, outcomes } = this.#parts;
    const answer = call.stream?.answer;
    onOver(call);
    if (answer === undefined) outcomes.fail(call, failure);
    else outcomes.answer(call, answer);
  }

  /** Answers a call that has left the table because its time is up. */
  timeOut(call: PendingCall): void {
    this.tellTarget(call, "timed-out");
    this.fail(call, callFailure.timedOut(call.targetType, call.targetKey, call.timeoutMs));
  }

  /** Fails a call that waits, by way of others, for itself. */
  breakRing(call: PendingCall, ring: string): void {
    // A call that a commit decides waits for no turn any more.
    if (call.commits > 0 || !this.#parts.calls.take(call)) return;
    this.#parts.counters.deadlockedCalls += 1;
    this.tellTarget(call, "cancelled");
    this.fail(call, callFailure.deadlock(ring));
  }

  /** A worker gives up one of its own calls. Other workers' ids, and those of calls with an outcome, change nothing. */
  cancel(caller: Peer, { requestId, reason }: CancelFrame): void {
    const call = caller.traits.isAnnounced ? caller.outgoingCalls.named(requestId) : undefined;
    if (call === undefined) this.#parts.counters.unmatchedCancels += 1;
    else this.abandon(call, reason);
  }

  // protocol.md §11.16
  /**
   * Ends a kept call whose handler has not begun, as far as the host can know. False: it continues. Its worker decides about a call that it
   * has: one whose handler has begun is finished there, and its answer is dropped.
   */
  withdraw(courier: Peer, requestId: string): boolean {
    const call = courier.outgoingCalls.named(requestId);
    if (call === undefined || call.commits > 0) return false;
    if (call.target !== undefined && !call.target.traits.capabilities.has("mail")) return false;
    this.abandon(call, "withdrawn");
    return true;
  }

  // protocol.md §12.8
  /** The call goes back to the host that has asked: it has no outcome here. */
  giveBack(call: PendingCall): void {
    this.#parts.onOver(call);
    this.#parts.calls.take(call);
    call.trace?.end("given-back", undefined);
  }

  /** Ends a call whose caller no longer waits for the outcome. */
  abandon(call: PendingCall, reason: CancelReason): void {
    const { calls, outcomes, onOver } = this.#parts;
    onOver(call);
    if (!calls.take(call)) return;
    outcomes.abandon(call, reason);
    this.tellTarget(call, reason);
  }

  /** Ends a call of which the host could read only the beginning of the request, of the answer or of a chunk. */
  giveUp(from: Peer, head: FrameHead, { reason, isOverload }: BadFrame): void {
    const { calls, outcomes, counters } = this.#parts;
    if (head.kind === "request") {
      counters.calls += 1;
      const failure = isOverload ? callFailure.noRoom(reason) : callFailure.unreadableRequest(reason);
      return outcomes.refuse(from, head.requestId, failure);
    }
    const call = calls.named(head.requestId);
    if (call !== undefined && call.target === from) this.giveUpAnswer(call, head.kind, { reason, isOverload });
  }

  /** Ends a call of whose answer, or of a chunk of it, the host could read only the beginning. */
  giveUpAnswer(call: PendingCall, kind: FrameHead["kind"], { reason, isOverload }: BadFrame): void {
    const isChunk = kind === "chunk";
    if (isChunk) {
      // The caller reads no chunks of it.
      if (call.stream === undefined) return;
      // A commit decides the call.
      if (call.commits > 0) {
        call.stream.isCut = true;
        return;
      }
    }
    if (!this.#parts.calls.take(call)) return;
    if (isChunk) this.tellTarget(call, "cancelled");
    const unreadable = isChunk ? callFailure.unreadableChunk : callFailure.unreadableAnswer;
    const failure = isOverload
      ? callFailure.noRoom(
          `${isChunk ? "A chunk" : "The answer"} of agent type ${call.targetType} was refused. ${reason}`,
        )
      : unreadable(call.targetType, reason);
    this.fail(call, failure);
  }

  /** Tells an announced target to stop work on a call that has left the table. */
  tellTarget(call: PendingCall, reason: CancelReason): void {
    const { calls, counters } = this.#parts;
    const { target } = call;
    if (!target?.traits.isAnnounced) return;
    const outcome = target.notify(encodeFrame({ kind: "cancel", requestId: calls.idTextOf(call), reason }));
    if (outcome === "full") counters.lostNotices += 1;
  }
}
