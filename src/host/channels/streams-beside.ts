import { type CallContext, RpcError, type ServerStreamReceiver, StatusCode } from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { JoinsSeat } from "../membership/joins-seat.ts";
import type { ResolvedHostOptions } from "../options.ts";
import { isSamePrincipal } from "../principal.ts";
import { type Admission, type Admitted, type PendingAdmission, requireClientId } from "../sessions/admission.ts";
import type { ChannelTable } from "../sessions/channel-table.ts";
import type { StreamClosing } from "../sessions/data-channel.ts";
import type { Session, StreamOwner } from "../sessions/session.ts";
import { SideStream } from "../sessions/side-stream.ts";
import type { SideWaits } from "../sessions/side-waits.ts";
import type { StateService } from "../states/state-service.ts";
import { StateStream } from "../states/state-stream.ts";
import type { ChannelReports } from "./channel-reports.ts";
import type { ClientIdOwners } from "./client-id-owners.ts";
import { type CreateReceiver, ownerOf, type StreamOpenings } from "./stream-openings.ts";

export interface StreamsBesideParts {
  readonly options: ResolvedHostOptions;
  readonly counters: MutableHostCounters;
  readonly admission: Admission;
  readonly clientIds: ClientIdOwners;
  readonly sessions: ChannelTable<Session>;
  readonly states: StateService;
  readonly reports: ChannelReports;
  readonly openings: StreamOpenings;
  readonly sideWaits: SideWaits;
  readonly joins: JoinsSeat;
}

interface BesideOptions {
  /** Whether the worker of this data channel may open the stream. */
  readonly takes: (session: Session) => boolean;
  readonly createReceiver: (session: Session, owner: StreamOwner) => ServerStreamReceiver;
}

/** Opens the streams that a Troupe worker has beside its open data channel. They belong to that channel's principal. */
export class StreamsBeside {
  readonly #parts: StreamsBesideParts;

  constructor(parts: StreamsBesideParts) {
    this.#parts = parts;
  }

  // protocol.md §11.7
  /** Opens a side stream, for notices. */
  openSide(call: CallContext): ServerStreamReceiver {
    return this.#open(call, {
      takes: ({ traits }) => traits.isAnnounced,
      createReceiver: (session, owner) =>
        new SideStream({
          session,
          leaseMs: () => this.#parts.joins.now?.leaseOf(session) ?? 0,
          ...this.#partsOf(call, "side", owner),
        }),
    });
  }

  // protocol.md §11.15
  /** Opens a stream of states. */
  openStates(call: CallContext): ServerStreamReceiver {
    const { states: service, counters } = this.#parts;
    return this.#open(call, {
      takes: ({ traits }) => traits.capabilities.has("states"),
      createReceiver: (session, owner) =>
        new StateStream({ session, service, counters, ...this.#partsOf(call, "states", owner) }),
    });
  }

  #open(call: CallContext, { takes, createReceiver: create }: BesideOptions): ServerStreamReceiver {
    const clientId = requireClientId(call);
    const { sessions, admission, clientIds, openings, sideWaits } = this.#parts;
    const createReceiver: CreateReceiver = (principal) => {
      admission.assertOpen();
      clientIds.check(call, principal);
      const session = sessions.of(clientId);
      if (session === undefined || !takes(session)) throw noDataChannel();
      return create(session, ownerOf(call, clientId, principal));
    };
    // The worker's own data channel may wait for `authorize` too, perhaps beside those of others under its id.
    if (!sideWaits.hasChannel(clientId)) return openings.open(call, createReceiver);
    const hold = (principal: Admitted): PendingAdmission | undefined => {
      const owner = sessions.of(clientId)?.owner;
      const isOpen = owner !== undefined && isSamePrincipal(owner.principal, principal);
      return isOpen ? undefined : sideWaits.wait(clientId, call, principal);
    };
    return openings.open(call, createReceiver, { hold });
  }

  #partsOf(call: CallContext, channel: "side" | "states", owner: StreamOwner) {
    const { options, openings, reports } = this.#parts;
    return {
      account: openings.accountOf(call),
      bounds: options,
      clock: options.clock,
      onOpened: () => reports.opened(channel, owner, { isAnnounced: true }),
      onEnded: (closing: StreamClosing) => reports.closed(channel, owner, closing),
    };
  }
}

function noDataChannel(): RpcError {
  const text = "No data channel of a Troupe worker is open under this client-id.";
  return new RpcError(StatusCode.failedPrecondition, text);
}
