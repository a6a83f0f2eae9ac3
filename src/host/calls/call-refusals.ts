import type { FrameBytes } from "../../protocol/internal.ts";
import { whyInvalidAgentType } from "../registry/name-checks.ts";
import type { Peer, SendOutcome } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";
import { type CallFailure, callFailure } from "./call-failures.ts";

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
