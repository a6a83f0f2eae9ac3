import type { ReturnReason } from "../../protocol/internal.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";

export interface Returned {
  readonly claim: Claim;
  readonly reason: ReturnReason;
  /** The message as it came. */
  readonly bytes: Uint8Array;
}

// protocol.md §11.17 L5
/**
 * Gives a message back to the host by the channel on which it came. An event that came when the worker had left that channel already goes
 * back by the next one. Returns false if it can't: no channel takes it, or it is too long with the words around it.
 */
export function sendBack(claims: Claims, outbox: Outbox, { claim, reason, bytes }: Returned): boolean {
  // The host hears first that the agent leaves.
  if (reason === "conflict") claims.ask(claim, "stale");
  claims.notices.flush();
  const { type, key, epoch } = claim;
  return outbox.inUse.sayClaims({ kind: "returned", agents: [{ type, key, epoch }], reason, message: bytes });
}
