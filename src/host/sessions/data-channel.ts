import { announcementOf, type Capability } from "../../protocol/internal.ts";
import {
  type Metadata,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
  type StreamEnd,
} from "../../transport/internal.ts";
import type { CloseReason } from "../observer.ts";
import type { PeerTraits } from "./peer.ts";
import type { Session } from "./session.ts";

/** The reason for which a stream ended, and what the transport says of it. */
export interface StreamClosing {
  readonly reason: CloseReason;
  readonly detail: string;
}

/** Callbacks for the life of a worker's data channel, and the traits of its worker. */
export interface DataChannelParts {
  readonly traits: PeerTraits;
  /** The capabilities that the host names to announced workers. */
  readonly capabilities: ReadonlySet<Capability>;
  /** The response header for a worker that asks who it is. */
  readonly who: Metadata | undefined;
  /** Makes the session of the channel once it is open. */
  readonly createSession: (stream: ServerStream) => Session;
  readonly onFrame: (session: Session, frame: Uint8Array) => void;
  /** The transport threw a frame away; `head` is its first bytes, if they are known. */
  readonly onBadFrame: (
    session: Session,
    bad: { readonly reason: string; readonly isOverload: boolean },
    head: Uint8Array | undefined,
  ) => void;
  /** Called once for each session, however it ended. */
  readonly onGone: (session: Session, closing: StreamClosing) => void;
  /** The stream has ended, and nothing leaves on it any more. */
  readonly onEnded: (session: Session) => void;
  /** Frames came on a channel that the host has ended. It does not read them. */
  readonly onUnread: (frames: number) => void;
}

/** The host's end of one `OpenChannel` call. */
export class DataChannel implements ServerStreamReceiver {
  readonly responseMetadata: Metadata;
  readonly #parts: DataChannelParts;
  #session: Session | undefined;
  #isGone = false;

  constructor(parts: DataChannelParts) {
    this.#parts = parts;
    this.responseMetadata = answerMetadata(parts);
  }

  onOpen(stream: ServerStream): void {
    this.#session = this.#parts.createSession(stream);
  }

  onFrame(frame: Uint8Array): void {
    // A channel that was replaced may still have frames on their way.
    if (!this.#isGone && this.#session?.isOpen) this.#parts.onFrame(this.#session, frame);
    else this.#parts.onUnread(1);
  }

  // protocol.md §1.5, H10
  /** The worker sends nothing more: it counts as gone, as in .NET's gateway. */
  onHalfClose(): void {
    this.#gone({ reason: this.#session?.endedFor ?? "left", detail: "" });
    this.#session?.finish({ code: StatusCode.ok, details: "" }, undefined);
  }

  onBadFrame({ details }: RpcStatus, head?: Uint8Array, isOverload = false): void {
    if (this.#session?.isOpen) this.#parts.onBadFrame(this.#session, { reason: details, isOverload }, head);
    else this.#parts.onUnread(1);
  }

  onLate(frames: number): void {
    this.#parts.onUnread(frames);
  }

  onDrain(): void {
    // protocol.md H19: the host refuses or drops at once what finds the queue full; nothing waits for room.
  }

  onEnd(end: StreamEnd): void {
    const session = this.#session;
    session?.markClosed();
    this.#gone(closingOf(end, session?.endedFor));
    if (session !== undefined) this.#parts.onEnded(session);
  }

  #gone(closing: StreamClosing): void {
    if (this.#isGone || this.#session === undefined) return;
    this.#isGone = true;
    this.#parts.onGone(this.#session, closing);
  }
}

/** The response headers of a data channel: the host announces itself to Troupe's workers only. */
function answerMetadata({ traits, capabilities, who }: DataChannelParts): Metadata {
  if (!traits.isAnnounced) return {};
  return who === undefined ? announcementOf(capabilities) : { ...announcementOf(capabilities), ...who };
}

/** Reads why a stream ended; a reason of the host's own counts first. */
export function closingOf(end: StreamEnd, endedFor: CloseReason | undefined): StreamClosing {
  switch (end.by) {
    case "connection-lost":
      return { reason: endedFor ?? "lost", detail: end.reason };
    case "status":
      return { reason: endedFor ?? "left", detail: end.status.details };
    case "peer":
    case "cancelled":
      return { reason: endedFor ?? "reset", detail: "" };
  }
}
