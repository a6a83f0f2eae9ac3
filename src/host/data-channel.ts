import { announcement } from "../protocol/index.ts";
import {
  type Metadata,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
} from "../transport/index.ts";
import { type PeerTraits, Session } from "./session.ts";

/** What the host does as a worker's data channel comes and goes. */
export interface DataChannelParts {
  readonly clientId: string;
  readonly peer: string;
  readonly traits: PeerTraits;
  readonly onSession: (session: Session) => void;
  readonly onFrame: (session: Session, frame: Uint8Array) => void;
  /** A frame that the transport has thrown away, with its first bytes if they are known. */
  readonly onBadFrame: (session: Session, reason: string, head: Uint8Array | undefined) => void;
  /** Called once for each session, however it ended. */
  readonly onGone: (session: Session) => void;
}

/** The host's end of one `OpenChannel` call. */
export class DataChannel implements ServerStreamReceiver {
  /** We announce ourselves to our own kind; stock peers see nothing new. */
  readonly responseMetadata: Metadata;
  readonly #parts: DataChannelParts;
  #session: Session | undefined;

  constructor(parts: DataChannelParts) {
    this.#parts = parts;
    this.responseMetadata = parts.traits.isAnnounced ? announcement : {};
  }

  onOpen(stream: ServerStream): void {
    const { clientId, peer, traits, onSession } = this.#parts;
    this.#session = new Session({ clientId, peer, traits, stream });
    onSession(this.#session);
  }

  onFrame(frame: Uint8Array): void {
    // A channel that was replaced may still have frames on their way: nothing of it counts any more.
    if (this.#session?.isOpen) this.#parts.onFrame(this.#session, frame);
  }

  /** The worker has nothing more to say: as in .NET's gateway it counts as gone (protocol.md §1.5, H10). */
  onHalfClose(): void {
    const session = this.#session;
    this.#gone();
    session?.finish({ code: StatusCode.ok, details: "" });
  }

  onBadFrame(status: RpcStatus, head?: Uint8Array): void {
    if (this.#session?.isOpen) this.#parts.onBadFrame(this.#session, status.details, head);
  }

  onDrain(): void {
    // The bound on a session's queue will resume here (protocol.md H19).
  }

  onEnd(): void {
    const session = this.#session;
    session?.markClosed();
    this.#gone();
  }

  #gone(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) this.#parts.onGone(session);
  }
}
