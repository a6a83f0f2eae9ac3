import type { FrameBytes, PeekedRequest } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import { whyInvalidAgentType } from "../registry/name-checks.ts";
import type { Peer, SendOutcome } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";
import { type CallTable, costOfCall } from "./call-table.ts";

/** The reason for which the host could not read a frame. */
export interface BadFrame {
  readonly reason: string;
  /** True: the frame is good, but the host had no space for it. */
  readonly isOverload: boolean;
}

/** The failure of a call that the queue of its target did not take. */
export function whyNotSent(
  outcome: Exclude<SendOutcome, "queued">,
  { targetType }: PendingCall,
  frame: FrameBytes,
  target: Peer,
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

/** The failure for a target without a worker. It tells apart types that no worker could register. */
export function unknownTarget(agentType: string): CallFailure {
  const reason = whyInvalidAgentType(agentType);
  return reason === undefined ? callFailure.unknownType(agentType) : callFailure.invalid(reason);
}

export interface CallBounds {
  readonly maxPendingCalls: number;
  readonly maxPendingCallsPerSession: number;
}

/** The failure of a call for which the table has no place. Undefined: it has one. */
export function whyNotTaken(
  caller: Peer,
  { requestId, targetKey }: PeekedRequest,
  targetType: string,
  { calls, bounds }: { readonly calls: CallTable; readonly bounds: CallBounds },
): CallFailure | undefined {
  const { maxPendingCallsPerSession } = bounds;
  if (caller.outgoingCalls.size >= maxPendingCallsPerSession)
    return callFailure.tooManyCalls(maxPendingCallsPerSession);
  const overuse = caller.quota?.whyNotMore("calls", { clientId: caller.id });
  if (overuse !== undefined) return callFailure.overQuota(overuse);
  if (!calls.mayOpen(caller)) return callFailure.tooManyCallsHere();
  const idBytes = requestId.end - requestId.textStart;
  if (idBytes > limits.requestIdBytes) return callFailure.longRequestId(idBytes);
  const bytes = costOfCall(idBytes, targetType, targetKey);
  return caller.account.mayTake(bytes) ? undefined : callFailure.noRoom(caller.account.whyNot(bytes));
}
