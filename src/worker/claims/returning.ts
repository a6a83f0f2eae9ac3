import type { ReturnReason } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { Claim } from "./claim.ts";
import type { ClaimNotices } from "./claim-notices.ts";

export interface Returned {
  readonly claim: Claim;
  readonly reason: ReturnReason;
  /** The message as it came. */
  readonly bytes: Uint8Array;
}

// protocol.md §11.17 L5
/**
 * Gives a message back to the host by the channel on which it came. Returns false if it can't: the channel has ended, or the message is too
 * long with the words around it.
 */
export function sendBack(notices: ClaimNotices, outbox: Outbox, { claim, reason, bytes }: Returned): boolean {
  // What the worker has asked for this agent comes first.
  notices.flush();
  const { type, key, epoch } = claim;
  return outbox.sayClaims({ kind: "returned", agents: [{ type, key, epoch }], reason, message: bytes });
}
