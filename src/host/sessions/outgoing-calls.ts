import { NamedIndexedSet } from "../../core/internal.ts";
import type { PendingCall } from "../calls/pending-call.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The calls that one worker waits for. They are found by its own request ids once it cancels one. */
export type OutgoingCallSet = NamedIndexedSet<"outgoingSlot", PendingCall>;

export function createOutgoingCallSet(): OutgoingCallSet {
  return new NamedIndexedSet("outgoingSlot", ownIdOf);
}

/** The id under which its caller knows a call. */
export function ownIdOf({ callerId }: PendingCall): string {
  return decoder.decode(callerId);
}
