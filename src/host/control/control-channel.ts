import type { Clock, Logger } from "../../core/internal.ts";
import {
  type MemoryAccount,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
  type StreamEnd,
} from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { closingOf, type StreamClosing } from "../sessions/data-channel.ts";
import type { QueueBounds } from "../sessions/queue-bound.ts";
import type { StreamOwner } from "../sessions/session.ts";
import { ControlSession } from "./control-session.ts";

export interface ControlChannelParts {
  readonly owner: StreamOwner;
  readonly openedAs: number;
  readonly account: MemoryAccount;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
  readonly onSession: (session: ControlSession) => void;
  readonly onEnvelope: (session: ControlSession, envelope: Uint8Array) => void;
  readonly onGone: (session: ControlSession, closing: StreamClosing) => void;
}

// protocol.md H20
/** The host's end of one `OpenControlChannel` call. Nothing that arrives on it ends it. */
export class ControlChannel implements ServerStreamReceiver {
  readonly #parts: ControlChannelParts;
  #session: ControlSession | undefined;
  #isGone = false;

  constructor(parts: ControlChannelParts) {
    this.#parts = parts;
  }

  onOpen(stream: ServerStream): void {
    this.#session = new ControlSession({ ...this.#parts, stream });
    this.#parts.onSession(this.#session);
  }

  onFrame(envelope: Uint8Array): void {
    if (this.#session?.isOpen) this.#parts.onEnvelope(this.#session, envelope);
  }

  onHalfClose(): void {
    this.#gone({ reason: this.#session?.endedFor ?? "left", detail: "" });
    this.#session?.finish({ code: StatusCode.ok, details: "" }, undefined);
  }

  onBadFrame(status: RpcStatus): void {
    const { counters, logger, owner } = this.#parts;
    counters.badFrames += 1;
    logger?.warn("a control message was refused by the transport", {
      clientId: owner.clientId,
      reason: status.details,
    });
  }

  onDrain(): void {
    // The host answers at once what finds the queue full; nothing waits for room.
  }

  onEnd(end: StreamEnd): void {
    this.#session?.markClosed();
    this.#gone(closingOf(end, this.#session?.endedFor));
  }

  #gone(closing: StreamClosing): void {
    if (this.#isGone || this.#session === undefined) return;
    this.#isGone = true;
    this.#parts.onGone(this.#session, closing);
  }
}
