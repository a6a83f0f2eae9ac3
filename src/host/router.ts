import type { Logger } from "../core/internal.ts";
import { type FrameHead, peekFrame } from "../protocol/internal.ts";
import type { CallRouter } from "./calls/call-router.ts";
import type { MutableHostCounters } from "./counters.ts";
import type { EventRouter } from "./events/event-router.ts";
import type { ChannelRegistration } from "./registry/channel-registration.ts";
import type { Session } from "./sessions/session.ts";

export interface RouterParts {
  readonly calls: CallRouter;
  readonly events: EventRouter;
  readonly registration: ChannelRegistration;
  readonly tally: MutableHostCounters;
  readonly logger: Logger | undefined;
}

/** Sends each frame of a data channel on its way by what it is. Never throws: no frame ends a stream. */
export class Router {
  readonly #parts: RouterParts;

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  receive(session: Session, bytes: Uint8Array): void {
    const { calls, events, registration, tally, logger } = this.#parts;
    const frame = peekFrame(bytes);
    switch (frame.kind) {
      case "request":
        return calls.route(session, frame);
      case "response":
        return calls.answer(session, frame);
      case "event":
        return events.route(frame);
      case "cancel":
        return calls.cancel(session, frame);
      case "register-type":
        return registration.registerType(session, frame.requestId, frame.agentType);
      case "subscribe":
        return registration.subscribe(session, frame.requestId, frame.pattern);
      case "ack":
      case "leaving":
      case "empty":
        // Acks and notices of leaving are what a host says; no worker has a reason to.
        tally.emptyFrames += 1;
        logger?.warn("a frame without a known content was ignored", { clientId: session.clientId });
        return;
      case "bad":
        return this.receiveBad(session, frame.reason, frame.head);
    }
  }

  /** A frame that is not there as a whole or can't be read. The call that it is part of has its outcome with it. */
  receiveBad(session: Session, reason: string, head: FrameHead | undefined): void {
    const { calls, tally, logger } = this.#parts;
    tally.badFrames += 1;
    logger?.warn("a frame could not be read", { clientId: session.clientId, reason });
    if (head !== undefined) calls.giveUp(session, head, reason);
  }
}
