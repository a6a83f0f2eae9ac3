import type { Clock, Logger } from "../../core/internal.ts";
import { decodeControlHeartbeat, encodeControlHeartbeat, type HeartbeatFrame } from "../../protocol/internal.ts";
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
import { heartbeatAnswer } from "../sessions/heartbeat-answer.ts";
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
  /** Whether this host and the client both name `heartbeat`. */
  readonly hasHeartbeat: () => boolean;
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
    if (!this.#session?.isOpen) return;
    const heartbeat = decodeControlHeartbeat(envelope);
    if (heartbeat === undefined || !this.#parts.hasHeartbeat()) this.#parts.onEnvelope(this.#session, envelope);
    else this.#answer(this.#session, heartbeat);
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

  #answer(session: ControlSession, heartbeat: HeartbeatFrame): void {
    const answer = heartbeatAnswer(heartbeat);
    if (answer !== undefined) session.send(encodeControlHeartbeat(answer));
  }

  #gone(closing: StreamClosing): void {
    if (this.#isGone || this.#session === undefined) return;
    this.#isGone = true;
    this.#parts.onGone(this.#session, closing);
  }
}
