import type { Timer } from "../../core/internal.ts";
import type { Session } from "../sessions/session.ts";

/** A call on its way: who asked, under which id, and who was asked under ours (protocol.md H1). */
export interface PendingCall {
  /** Counts this host's calls; what the target sees as the request id is made of it. */
  readonly hostId: number;
  readonly caller: Session;
  /** The caller's own request id, as raw bytes. */
  readonly callerId: Uint8Array;
  readonly targetType: string;
  readonly targetKey: string;
  /** 0: no bound. */
  readonly timeoutMs: number;
  /** When its time is up, by the host's clock, 0 if it never is; kept by whoever watches the deadlines. */
  dueMs: number;
  timer: Timer | undefined;
  /** Undefined while the call waits for the target's channel. */
  target: Session | undefined;
  /** Its places among the calls that its caller, and its target, have under way. */
  outgoingSlot: number;
  askingSlot: number;
}
