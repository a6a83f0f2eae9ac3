import type { Clock, Logger } from "../../core/internal.ts";
import { type RpcStatus, type ServerStream, type ServerStreamReceiver, StatusCode } from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { QueueBounds } from "../sessions/outbound-bound.ts";
import { ControlSession } from "./control-session.ts";

export interface ControlChannelParts {
  readonly clientId: string;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
  readonly tally: MutableHostCounters;
  readonly logger: Logger | undefined;
  readonly onSession: (session: ControlSession) => void;
  readonly onEnvelope: (session: ControlSession, envelope: Uint8Array) => void;
  readonly onGone: (session: ControlSession) => void;
}

/** The host's end of one `OpenControlChannel` call. Nothing that arrives on it ends it (protocol.md H20). */
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
    this.#gone();
    this.#session?.finish({ code: StatusCode.ok, details: "" });
  }

  onBadFrame(status: RpcStatus): void {
    const { tally, logger, clientId } = this.#parts;
    tally.badFrames += 1;
    logger?.warn("a control message was refused by the transport", { clientId, reason: status.details });
  }

  onDrain(): void {
    // What finds the queue full is answered at once; nothing waits for room.
  }

  onEnd(): void {
    this.#session?.markClosed();
    this.#gone();
  }

  #gone(): void {
    if (this.#isGone || this.#session === undefined) return;
    this.#isGone = true;
    this.#parts.onGone(this.#session);
  }
}
