import type { CancelReason, Frame } from "../../protocol/internal.ts";

type Peer =
  /** Its response headers are not here yet; what is to be said to a Troupe host waits. */
  | { readonly at: "unknown"; readonly waiting: Frame[] }
  | { readonly at: "announced" }
  /** Knows nothing of signals, and gets none. */
  | { readonly at: "stock" };

/** More calls than this are hardly given up before the host has said who it is; a reference host says nothing for long. */
const mostWaiting = 1_000;

/** What a worker tells its host beside calls and events: only a host that announced itself is told anything (protocol.md §11.1). */
export class HostNotices {
  readonly #send: (frame: Frame) => void;
  #peer: Peer = { at: "unknown", waiting: [] };

  /** `send` must not throw. */
  constructor(send: (frame: Frame) => void) {
    this.#send = send;
  }

  /** The host's response headers have arrived. */
  learnPeer(isAnnounced: boolean): void {
    const waiting = this.#peer.at === "unknown" ? this.#peer.waiting : [];
    this.#peer = { at: isAnnounced ? "announced" : "stock" };
    if (isAnnounced) for (const frame of waiting) this.#send(frame);
  }

  /** Nobody here waits for this call's answer any more. */
  cancelCall(requestId: string, reason: CancelReason): void {
    const frame = { kind: "cancel", requestId, reason } as const;
    if (this.#peer.at === "announced") this.#send(frame);
    else if (this.#peer.at === "unknown" && this.#peer.waiting.length < mostWaiting) this.#peer.waiting.push(frame);
  }
}
