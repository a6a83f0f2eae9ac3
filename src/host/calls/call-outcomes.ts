import { type CancelReason, type PeekedResponse, spliceRequestId, withoutTroupeKeys } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { CallOccurrence, Observers } from "../observer.ts";
import type { Peer } from "../sessions/peer.ts";
import { callerIdText, type PendingCall, untimed } from "../sessions/pending-call.ts";
import { type CallFailure, callFailure, failureAnswer } from "./call-failures.ts";
import type { DotnetAnswers } from "./dotnet-answers.ts";

export interface CallOutcomesParts {
  /** The time of calls for observers. */
  readonly observedMs: () => number;
  readonly counters: MutableHostCounters;
  readonly dotnetAnswers: DotnetAnswers;
  readonly observers: Observers;
}

/** Sends the outcomes of calls that have left the table to their callers, and tells counters and observer of them. */
export class CallOutcomes {
  readonly #parts: CallOutcomesParts;

  constructor(parts: CallOutcomesParts) {
    this.#parts = parts;
  }

  /** Passes the target's answer on. */
  answer(call: PendingCall, response: PeekedResponse): void {
    const { counters, dotnetAnswers } = this.#parts;
    const flaw = call.caller.dotnet && dotnetAnswers.flawOf(response, call.targetType);
    if (flaw !== undefined) return this.#replaceAnswer(call, flaw);
    const answer = call.caller.traits.isAnnounced ? response : withoutTroupeKeys(response);
    const frame = spliceRequestId(answer, call.callerId);
    switch (call.caller.send(frame, "answer")) {
      case "queued":
        counters.answers += 1;
        this.#observe(call, "answered", undefined);
        return;
      case "too-large":
        return this.fail(
          call,
          callFailure.answerTooLarge(call.targetType, frame.byteLength, call.caller.traits.maxFrameBytes),
        );
      case "full":
      case "closed":
        // The caller has left, or the host has just cut it off: no caller takes the answer.
        counters.lateAnswers += 1;
        this.#observe(call, "abandoned", "caller-gone");
        return;
    }
  }

  /** Answers a call with a failure. */
  fail(call: PendingCall, failure: CallFailure): void {
    this.#countFailure(failure);
    this.#observe(call, "failed", failure.code);
    this.#sendFailure(call.caller, callerIdText(call), failure);
  }

  /** Answers a call that never entered the table. */
  refuse(caller: Peer, requestId: string, failure: CallFailure, targetType = ""): void {
    const { observers } = this.#parts;
    this.#countFailure(failure);
    if (observers.hearOfCalls) {
      const about = { callerId: caller.id, targetId: undefined, targetType, targetKey: "", code: failure.code };
      const occurrence: CallOccurrence = { at: "call", ...about, outcome: "failed", ms: 0, traceId: undefined };
      observers.now?.(occurrence);
      observers.failures?.(occurrence);
    }
    this.#sendFailure(caller, requestId, failure);
  }

  /** The caller no longer waits for the outcome. */
  abandon(call: PendingCall, reason: CancelReason): void {
    this.#parts.counters.abandonedCalls += 1;
    this.#observe(call, "abandoned", reason);
  }

  /** Gives a caller of .NET's what the options allow in place of an answer that it can't read. */
  #replaceAnswer(call: PendingCall, flaw: CallFailure): void {
    const isSent = this.#sendFailure(call.caller, callerIdText(call), flaw);
    if (isSent) this.#parts.counters.answers += 1;
    if (isSent) this.#observe(call, "answered", undefined);
    else this.#observe(call, "failed", flaw.code);
  }

  /** Returns whether the caller's queue took the answer. A caller of .NET's may get none. */
  #sendFailure(caller: Peer, requestId: string, failure: CallFailure): boolean {
    const { dotnet } = caller;
    const bytes =
      dotnet === undefined
        ? failureAnswer(requestId, failure, caller.traits.isAnnounced)
        : this.#parts.dotnetAnswers.write(caller, dotnet, requestId, failure);
    return bytes !== undefined && caller.send(bytes, "answer") === "queued";
  }

  #observe(call: PendingCall, outcome: CallOccurrence["outcome"], code: string | undefined): void {
    call.trace?.end(outcome, code, call.stream?.chunks);
    const { observers } = this.#parts;
    const { caller, target, targetType, targetKey, openedMs, traceId, sender } = call;
    if (openedMs === untimed || (observers.now === undefined && (outcome === "answered" || !observers.hearOfCalls)))
      return;
    const ms = this.#parts.observedMs() - openedMs;
    // In one literal: while a page watches, one is made for each call.
    const occurrence: CallOccurrence = {
      at: "call",
      callerId: caller.id,
      targetId: target?.id,
      targetType,
      targetKey,
      code,
      ms,
      traceId,
      sender,
      outcome,
      chunks: call.stream?.chunks,
    };
    observers.payloads?.callEnded(call, occurrence);
    observers.now?.(occurrence);
    if (outcome !== "answered") observers.failures?.(occurrence);
  }

  #countFailure({ code }: CallFailure): void {
    const { counters } = this.#parts;
    counters.failedCalls += 1;
    if (code === "overloaded") counters.overloadedCalls += 1;
  }
}
