import { announcement } from "../../protocol/internal.ts";
import {
  type Metadata,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
} from "../../transport/internal.ts";
import type { PeerTraits, Session } from "./session.ts";

/** What the host does as a worker's data channel comes and goes. */
export interface DataChannelParts {
  readonly traits: PeerTraits;
  /** Makes the session of the channel once it is open. */
  readonly createSession: (stream: ServerStream) => Session;
  readonly onFrame: (session: Session, frame: Uint8Array) => void;
  /** A frame that the transport has thrown away, with its first bytes if they are known. */
  readonly onBadFrame: (session: Session, reason: string, head: Uint8Array | undefined) => void;
  /** Called once for each session, however it ended. */
  readonly onGone: (session: Session) => void;
  /** The stream has ended, and nothing leaves on it any more. */
  readonly onEnded: (session: Session) => void;
}

/** The host's end of one `OpenChannel` call. */
export class DataChannel implements ServerStreamReceiver {
  /** We announce ourselves to our own kind; stock peers see nothing new. */
  readonly responseMetadata: Metadata;
  readonly #parts: DataChannelParts;
  #session: Session | undefined;
  #isGone = false;

  constructor(parts: DataChannelParts) {
    this.#parts = parts;
    this.responseMetadata = parts.traits.isAnnounced ? announcement : {};
  }

  onOpen(stream: ServerStream): void {
    this.#session = this.#parts.createSession(stream);
  }

  onFrame(frame: Uint8Array): void {
    // A channel that was replaced may still have frames on their way: nothing of it counts any more.
    if (!this.#isGone && this.#session?.isOpen) this.#parts.onFrame(this.#session, frame);
  }

  /** The worker has nothing more to say: as in .NET's gateway it counts as gone (protocol.md §1.5, H10). */
  onHalfClose(): void {
    this.#gone();
    this.#session?.finish({ code: StatusCode.ok, details: "" });
  }

  onBadFrame(status: RpcStatus, head?: Uint8Array): void {
    if (this.#session?.isOpen) this.#parts.onBadFrame(this.#session, status.details, head);
  }

  onDrain(): void {
    // What finds the queue full is refused or dropped at once; nothing waits for room (protocol.md H19).
  }

  onEnd(): void {
    const session = this.#session;
    session?.markClosed();
    this.#gone();
    if (session !== undefined) this.#parts.onEnded(session);
  }

  #gone(): void {
    if (this.#isGone || this.#session === undefined) return;
    this.#isGone = true;
    this.#parts.onGone(this.#session);
  }
}
