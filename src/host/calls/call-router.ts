import {
  type CancelFrame,
  type CancelReason,
  encodeFrame,
  type FrameBytes,
  type FrameHead,
  type PeekedRequest,
  type PeekedResponse,
  requestIdBytes,
  requestIdText,
  spliceRequestId,
  withoutErrorDetail,
} from "../../protocol/internal.ts";
import { BatchRunner } from "../batch-runner.ts";
import type { MutableHostCounters } from "../counters.ts";
import { type CallFailure, callFailure, failureAnswer } from "../host-errors.ts";
import { limits } from "../limits.ts";
import type { ResolvedHostOptions } from "../options.ts";
import { whyInvalidAgentType } from "../registry/agent-type-check.ts";
import type { Directory } from "../registry/type-owners.ts";
import { ownIdOf } from "../sessions/outgoing-calls.ts";
import type { SendOutcome, Session } from "../sessions/session.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { CallTable } from "./call-table.ts";
import { HeldCalls } from "./held-calls.ts";
import type { PendingCall } from "./pending-call.ts";

export interface CallRouterParts {
  readonly options: ResolvedHostOptions;
  readonly tally: MutableHostCounters;
  readonly directory: Directory;
  readonly sessions: SessionTable;
}

/** Takes calls to the worker that serves their target, and the answers back. Every call gets exactly one outcome (protocol.md H1–H7). */
export class CallRouter {
  readonly #options: ResolvedHostOptions;
  readonly #tally: MutableHostCounters;
  readonly #directory: Directory;
  readonly #sessions: SessionTable;
  readonly #calls: CallTable;
  readonly #held: HeldCalls;
  /** Outcomes of calls whose worker has left: it may have left thousands. */
  readonly #endings: BatchRunner;
  #isDraining = false;

  constructor({ options, tally, directory, sessions }: CallRouterParts) {
    this.#options = options;
    this.#tally = tally;
    this.#directory = directory;
    this.#sessions = sessions;
    this.#calls = new CallTable({
      clock: options.clock,
      makeId: options.makeId,
      defaultTimeoutMs: options.callTimeoutMs,
      onTimeout: (call) => {
        this.#tally.timedOutCalls += 1;
        this.#tellTarget(call, "timed-out");
        this.#fail(call, callFailure.timedOut(call.targetType, call.targetKey, call.timeoutMs));
      },
    });
    this.#endings = new BatchRunner(options.clock);
    this.#held = new HeldCalls(options.clock, options.channelWaitMs, (call) => {
      if (this.#calls.take(call)) this.#fail(call, callFailure.notReached(call.targetType));
    });
  }

  get pendingCount(): number {
    return this.#calls.size;
  }

  /** A call came in on a worker's channel. */
  route(caller: Session, request: PeekedRequest): void {
    this.#tally.calls += 1;
    const { targetType, targetKey } = request;
    if (this.#isDraining) return this.#refuse(caller, requestIdText(request), callFailure.shuttingDown());
    if (targetType === undefined) return this.#refuse(caller, requestIdText(request), callFailure.noTarget());
    const clientId = this.#directory.locate(targetType, targetKey);
    if (clientId === undefined) return this.#refuse(caller, requestIdText(request), unknownTarget(targetType));
    const refusal = this.#whyNotTaken(caller, request);
    if (refusal !== undefined) return this.#refuse(caller, requestIdText(request), refusal);
    const callerId = requestIdBytes(request);
    const call = this.#calls.open({ caller, callerId, targetType, targetKey }, request.timeoutMs);
    const frame = spliceRequestId(request, this.#calls.idBytesOf(call));
    const target = this.#sessions.data.of(clientId);
    if (target !== undefined) return this.#forward(call, frame, target);
    const failure = this.#held.hold(clientId, call, frame);
    if (failure !== undefined && this.#calls.take(call)) this.#fail(call, failure);
  }

  /** An answer came in on a worker's channel. */
  answer(from: Session, response: PeekedResponse): void {
    const call = this.#calls.answeredBy(response);
    if (call === undefined) {
      this.#tally.lateAnswers += 1;
      return;
    }
    if (call.target !== from) {
      this.#tally.strayAnswers += 1;
      return;
    }
    this.#calls.take(call);
    const answer = call.caller.traits.isAnnounced ? response : withoutErrorDetail(response);
    const frame = spliceRequestId(answer, call.callerId);
    switch (call.caller.send(frame, "answer")) {
      case "queued":
        this.#tally.answers += 1;
        return;
      case "too-large":
        return this.#fail(
          call,
          callFailure.answerTooLarge(call.targetType, frame.byteLength, call.caller.traits.maxFrameBytes),
        );
      case "full":
      case "closed":
        // The caller has left, or has just been cut off: nobody is there to take it.
        this.#tally.lateAnswers += 1;
        return;
    }
  }

  /** A worker gives up a call of its own. Ids of others, and of calls that have their outcome, change nothing. */
  cancel(caller: Session, { requestId, reason }: CancelFrame): void {
    const call = caller.traits.isAnnounced ? caller.asked.named(requestId) : undefined;
    if (call === undefined) this.#tally.unmatchedCancels += 1;
    else this.#abandon(call, reason);
  }

  /** A call or an answer of which only the beginning could be read: nobody waits for the rest. */
  giveUp(from: Session, head: FrameHead, reason: string): void {
    if (head.kind === "request") return this.#refuse(from, head.requestId, callFailure.unreadableRequest(reason));
    const call = this.#calls.named(head.requestId);
    if (call === undefined || call.target !== from) return;
    this.#calls.take(call);
    this.#fail(call, callFailure.unreadableAnswer(call.targetType, reason));
  }

  /** Answers a call that never entered the table. */
  #refuse(caller: Session, requestId: string, failure: CallFailure): void {
    this.#countFailure(failure);
    caller.send(failureAnswer(requestId, failure), "answer");
  }

  /** Calls that have waited for this client's channel go out. */
  sessionOpened(session: Session): void {
    for (const { call, frame } of this.#held.release(session.clientId)) this.#forward(call, frame, session);
  }

  /** What this worker asked is forgotten; what it was asked and has not answered fails (protocol.md H4, H5). */
  sessionEnded(session: Session): void {
    this.#endings.add(this.#endingsOf(session));
  }

  *#endingsOf({ asked, asking }: Session): Iterable<() => void> {
    for (const call of asked.all()) yield () => this.#abandon(call, "caller-gone");
    for (const call of asking.all()) {
      yield () => {
        if (this.#calls.take(call)) this.#fail(call, callFailure.disconnected(call.targetType));
      };
    }
  }

  /** From now on calls are refused, and those without an outcome have it now (protocol.md H21). */
  drain(): void {
    this.#isDraining = true;
    for (const call of this.#calls.all()) {
      this.#held.forget(call);
      if (this.#calls.take(call)) this.#fail(call, callFailure.shuttingDown());
    }
    this.#calls.close();
    this.#endings.finish();
  }

  /** Keeps the table of calls within its bounds. */
  #whyNotTaken(caller: Session, { requestId }: PeekedRequest): CallFailure | undefined {
    const { maxPendingCalls, maxPendingCallsPerSession } = this.#options;
    if (caller.asked.size >= maxPendingCallsPerSession) return callFailure.tooManyCalls(maxPendingCallsPerSession);
    if (this.#calls.size >= maxPendingCalls) return callFailure.tooManyCallsHere();
    const idBytes = requestId.end - requestId.textStart;
    return idBytes > limits.requestIdBytes ? callFailure.longRequestId(idBytes) : undefined;
  }

  #forward(call: PendingCall, frame: FrameBytes, target: Session): void {
    this.#calls.assign(call, target);
    const outcome = target.send(frame, "call");
    if (outcome !== "queued" && this.#calls.take(call)) this.#fail(call, whyNotSent(outcome, call, frame, target));
  }

  /** Nobody waits for this call's outcome any more. */
  #abandon(call: PendingCall, reason: CancelReason): void {
    this.#held.forget(call);
    if (!this.#calls.take(call)) return;
    this.#tally.abandonedCalls += 1;
    this.#tellTarget(call, reason);
  }

  /** Lets a target that understands it stop working on a call that has left the table; others are told nothing new. */
  #tellTarget(call: PendingCall, reason: CancelReason): void {
    const { target } = call;
    if (!target?.traits.isAnnounced) return;
    const outcome = target.signal(encodeFrame({ kind: "cancel", requestId: this.#calls.idTextOf(call), reason }));
    if (outcome === "full") this.#tally.lostSignals += 1;
  }

  #countFailure({ code }: CallFailure): void {
    this.#tally.failedCalls += 1;
    if (code === "overloaded") this.#tally.overloadedCalls += 1;
  }

  /** The call has left the table; its caller learns why. */
  #fail(call: PendingCall, failure: CallFailure): void {
    this.#held.forget(call);
    this.#countFailure(failure);
    call.caller.send(failureAnswer(ownIdOf(call), failure), "answer");
  }
}

function whyNotSent(
  outcome: Exclude<SendOutcome, "queued">,
  { targetType }: PendingCall,
  frame: FrameBytes,
  target: Session,
): CallFailure {
  switch (outcome) {
    case "too-large":
      return callFailure.requestTooLarge(targetType, frame.byteLength, target.traits.maxFrameBytes);
    case "full":
      return callFailure.overloaded(targetType);
    case "closed":
      return callFailure.notReached(targetType);
  }
}

/** Types that nobody could have registered are told apart, so that the caller sees what is wrong with its target. */
function unknownTarget(agentType: string): CallFailure {
  const reason = whyInvalidAgentType(agentType);
  return reason === undefined ? callFailure.unknownType(agentType) : callFailure.invalid(reason);
}
