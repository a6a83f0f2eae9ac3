import type { Logger } from "../../core/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { firstListed } from "../limits.ts";
import type { ChannelKind, Observers } from "../observer.ts";
import type { StreamClosing } from "../sessions/data-channel.ts";
import type { Session, SessionParts, StreamOwner } from "../sessions/session.ts";

export interface ChannelReportsParts {
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
  readonly observers: Observers;
}

/** A data channel that has ended, and the agent types that its worker served. */
interface EndedChannel {
  readonly session: Session;
  readonly types: ReadonlySet<string>;
}

/** Tells the observer, the counters and the log what becomes of channels. */
export class ChannelReports {
  readonly #parts: ChannelReportsParts;

  constructor(parts: ChannelReportsParts) {
    this.#parts = parts;
  }

  opened(
    channel: ChannelKind,
    owner: StreamOwner,
    { isAnnounced, workerId }: { readonly isAnnounced: boolean; readonly workerId?: string },
  ): void {
    this.#parts.observers.now?.({ at: "session", what: "opened", channel, ...owner, isAnnounced, workerId });
  }

  /** `typesOf` is called only while an observer listens. */
  dataClosed(session: Session, closing: StreamClosing, typesOf: () => ReadonlySet<string>): void {
    if (this.#parts.observers.now !== undefined) {
      this.#closed("data", session.owner, { ...closing, ended: { session, types: typesOf() } });
    }
  }

  closed(channel: Exclude<ChannelKind, "data">, owner: StreamOwner, closing: StreamClosing): void {
    this.#closed(channel, owner, { ...closing, ended: undefined });
  }

  /** The stream of a data channel has ended, and nothing leaves on it any more. */
  dataEnded({ lostEvents, unconfirmedEvents, unreadFrames }: Session): void {
    const { counters } = this.#parts;
    counters.lostEvents += lostEvents;
    counters.unconfirmedEvents += unconfirmedEvents;
    counters.unreadFrames += unreadFrames;
  }

  /** Frames came on a channel that the host has ended. */
  unread(frames: number): void {
    this.#parts.counters.unreadFrames += frames;
  }

  /** A channel is refused, because there are `maxSessions` already. */
  refused(clientId: string, detail: string): void {
    const { counters, observers } = this.#parts;
    counters.refusedByLimit += 1;
    observers.now?.({ at: "limited", what: "sessions", clientId, detail });
  }

  /** A newer data channel has come under a client id that had one: the worker has come back, or another one uses its client id. */
  replaced({ clientId, address, principal }: StreamOwner, newer: StreamOwner): void {
    this.#parts.logger?.warn("a worker's channel is replaced by a newer one under its client id", {
      ...{ clientId, principal: principal?.name, address, newAddress: newer.address },
    });
  }

  // protocol.md §7
  /** A .NET worker has opened its second channel. */
  reopened(clientId: string, types: ReadonlySet<string>): void {
    this.#parts.logger?.warn(
      "a .NET worker has opened its channel again, after an exception or a lost host: it answers no calls until it is restarted",
      { clientId, types: firstListed(types) },
    );
  }

  /** Returns the callbacks of a session, whose worker may give no sign of life or read too slowly. */
  ofSession(heartbeatTimeoutMs: number): Pick<SessionParts, "onSilent" | "onOverflow" | "onRelief" | "onCutOff"> {
    const { counters, logger, observers } = this.#parts;
    return {
      onSilent: ({ id }) =>
        logger?.warn("a worker is given up: it gave no sign of life", { clientId: id, heartbeatTimeoutMs }),
      onOverflow: ({ id: clientId, queuedFrames, queuedBytes }) => {
        logger?.warn("a worker reads too slowly; what it is sent is dropped or refused from now on", {
          clientId,
          queuedFrames,
          queuedBytes,
        });
        const detail = `${queuedFrames} frames and ${queuedBytes} bytes wait for the worker.`;
        observers.now?.({ at: "limited", what: "queue", clientId, detail });
      },
      onRelief: ({ id }, lost) => logger?.info("a worker that read too slowly has caught up", { clientId: id, lost }),
      onCutOff: ({ id }) => {
        counters.overflowedChannels += 1;
        logger?.warn("a worker is cut off: it does not read what it is sent", { clientId: id });
      },
    };
  }

  #closed(
    channel: ChannelKind,
    { clientId, address, principal }: StreamOwner,
    { reason, detail, ended }: StreamClosing & { readonly ended: EndedChannel | undefined },
  ): void {
    this.#parts.observers.now?.({
      at: "session",
      what: "closed",
      channel,
      ...{ clientId, address, principal, reason, detail },
      types: firstListed(ended?.types ?? []),
      typeCount: ended?.types.size ?? 0,
      droppedEvents: ended?.session.droppedEvents ?? 0,
      refusedCalls: ended?.session.refusedCalls ?? 0,
    });
  }
}
