import { isAnnounced } from "../protocol/index.ts";
import type { Metadata, RpcStatus, ServerStream } from "../transport/index.ts";
import type { PendingCall } from "./pending-call.ts";

/** Whether a frame has been taken on for a peer; if not, why. */
export type SendOutcome = "queued" | "too-large" | "closed";

/** What the host knows of a worker from the metadata of its channel. */
export interface PeerTraits {
  /** Events without `proto_data` make this peer reopen its channel, and lose what it was doing (protocol.md §7). */
  readonly takesJsonEvents: boolean;
  /** A longer frame would end the peer's stream. */
  readonly maxFrameBytes: number;
  /** It is one of ours, and understands signals (protocol.md §11.1). No other peer is ever sent one. */
  readonly isAnnounced: boolean;
}

export interface SessionParts {
  readonly clientId: string;
  readonly peer: string;
  readonly traits: PeerTraits;
  readonly stream: ServerStream;
}

/** One worker's open data channel. A worker that comes back gets a new one, also under the same client id. */
export class Session {
  readonly clientId: string;
  readonly peer: string;
  readonly traits: PeerTraits;
  /** Calls this worker waits for, and calls it was asked and has not answered. */
  readonly asked = new Set<PendingCall>();
  readonly asking = new Set<PendingCall>();
  /** Those it has asked and may cancel, by its own request ids. */
  readonly cancellable = new Map<string, PendingCall>();
  readonly #stream: ServerStream;
  #isOpen = true;

  constructor({ clientId, peer, traits, stream }: SessionParts) {
    this.clientId = clientId;
    this.peer = peer;
    this.traits = traits;
    this.#stream = stream;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The one place where frames for a worker queue up; a bound on the queue belongs here (protocol.md H19). */
  send(frame: Uint8Array): SendOutcome {
    if (!this.#isOpen) return "closed";
    if (frame.length > this.traits.maxFrameBytes) return "too-large";
    try {
      this.#stream.send(frame);
    } catch {
      // The transport has a limit of its own on what is sent.
      return "too-large";
    }
    return "queued";
  }

  /** Nothing is sent any more; what is queued still goes out if the connection stands, then the call ends with `status`. */
  finish(status: RpcStatus): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream.finish(status);
  }

  /** The stream has come to its end by itself. */
  markClosed(): void {
    this.#isOpen = false;
  }

  flushed(): Promise<void> {
    return this.#stream.flushed();
  }
}

/** Libraries name themselves `grpc-<language>/…`, perhaps after the application's own name. Ours has no such limits. */
const stockLibrary = /(^|\s)grpc-(?!troupe)/;
const dotnetLibrary = /(^|\s)grpc-dotnet\//;

/** Reads a peer's traits off its announcement and the `user-agent` that its library sends. */
export function peerTraits(
  metadata: Metadata,
  options: { readonly filterByPeer: boolean; readonly stockPeerMaxBytes: number },
): PeerTraits {
  const userAgent = options.filterByPeer ? (metadata["user-agent"] ?? "") : "";
  return {
    takesJsonEvents: !dotnetLibrary.test(userAgent),
    maxFrameBytes: stockLibrary.test(userAgent) ? options.stockPeerMaxBytes : Number.POSITIVE_INFINITY,
    isAnnounced: isAnnounced(metadata),
  };
}
