import { isAnnounced, readFrameHead, readIdentity, type WorkerIdentity, whoAnswer } from "../../protocol/internal.ts";
import {
  type CallContext,
  partyOfCall,
  RpcError,
  type ServerStreamReceiver,
  StatusCode,
} from "../../transport/internal.ts";
import type { AccessCheck } from "../access/access-check.ts";
import { ControlChannel } from "../control/control-channel.ts";
import type { ControlRouter } from "../control/control-router.ts";
import type { ControlSession } from "../control/control-session.ts";
import { capabilitiesOf } from "../host-capabilities.ts";
import { limits } from "../limits.ts";
import type { Joining } from "../membership/joining.ts";
import type { Observers } from "../observer.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import { identityCost, type Workers } from "../placement/workers.ts";
import { isSamePrincipal } from "../principal.ts";
import type { CallerQuota, QuotaCheck } from "../quotas/quota-check.ts";
import { type Admitted, clientIdOf, requireClientId } from "../sessions/admission.ts";
import type { ChannelTable } from "../sessions/channel-table.ts";
import { DataChannel, type StreamClosing } from "../sessions/data-channel.ts";
import type { DotnetWorkers } from "../sessions/dotnet-worker.ts";
import { peerTraits } from "../sessions/peer.ts";
import { Session, type SessionParts, type StreamOwner } from "../sessions/session.ts";
import { SideWaits } from "../sessions/side-waits.ts";
import { type ChannelDrainParts, drainChannels } from "./channel-drain.ts";
import { ChannelReports } from "./channel-reports.ts";
import type { Router } from "./router.ts";
import { type CreateReceiver, type OpenOptions, ownerOf, StreamOpenings } from "./stream-openings.ts";
import { StreamsBeside, type StreamsBesideParts } from "./streams-beside.ts";
import { type ConnectionChangeParts, keepTypes } from "./types-of-change.ts";

export interface ChannelLifecycleParts
  extends ChannelDrainParts,
    Omit<StreamsBesideParts, "reports" | "openings" | "sideWaits">,
    ConnectionChangeParts {
  readonly dotnetWorkers: DotnetWorkers;
  readonly workers: Workers;
  readonly control: ControlRouter;
  readonly router: Router;
  readonly others: OthersSeat;
  /** Undefined: the host has no rules. */
  readonly access: AccessCheck | undefined;
  /** Undefined: the host has no quotas. */
  readonly quotas: QuotaCheck | undefined;
  readonly observers: Observers;
}

interface Entry {
  readonly call: CallContext;
  readonly clientId: string;
  readonly openedAs: number;
  readonly principal: Admitted;
}

/** Opens and ends the streams of workers, and tells the rooms of the host in the right order. */
export class ChannelLifecycle {
  readonly #parts: ChannelLifecycleParts;
  readonly #reports: ChannelReports;
  readonly #openings: StreamOpenings;
  readonly #sideWaits: SideWaits;
  /** The streams that a worker opens beside its data channel. */
  readonly beside: StreamsBeside;
  /** How many channels have been opened; numbers them, so that an older one does not replace a newer one. */
  #opened = 0;

  constructor(parts: ChannelLifecycleParts) {
    this.#parts = parts;
    const { counters, options, observers } = parts;
    this.#reports = new ChannelReports({ counters, logger: options.logger, observers });
    this.#openings = new StreamOpenings(parts.admission);
    this.#sideWaits = new SideWaits(parts.admission);
    this.beside = new StreamsBeside({
      ...parts,
      reports: this.#reports,
      openings: this.#openings,
      sideWaits: this.#sideWaits,
    });
  }

  /** Opens a worker's data channel. Without `client-id` the worker is of generation 1, and the host makes an id for it. */
  openData(call: CallContext): ServerStreamReceiver {
    const { options, sessions, router, joins } = this.#parts;
    const { acceptLegacyWorkers, makeId } = options;
    const clientId = clientIdOf(call) ?? (acceptLegacyWorkers ? makeId() : requireClientId(call));
    const capabilities = capabilitiesOf(options);
    const traits = peerTraits(call.metadata, { ...options, capabilities });
    const openedAs = this.#opened++;
    let joining: Joining | undefined;
    const createReceiver: CreateReceiver = (principal) => {
      this.#checkEntry(sessions, { call, clientId, openedAs, principal }, () => joining?.cancel());
      const owner = ownerOf(call, clientId, principal);
      const account = this.#openings.accountOf(call);
      return new DataChannel({
        traits,
        capabilities,
        who: whoAnswer(call.metadata, principal),
        createSession: (stream) => {
          const worker = joining?.identity ?? this.#identify(call, owner);
          account.add(identityCost(worker));
          const session = this.#createSession({ owner, openedAs, traits, worker, stream, account });
          if (joining !== undefined) joins.now?.opened(session, joining);
          return this.#dataOpened(session);
        },
        onFrame: (session, frame) => router.receive(session, frame),
        onBadFrame: (session, bad, head) => router.receiveBad(session, bad, head && readFrameHead(head)),
        onGone: (session, closing) => this.#dataGone(session, closing),
        onEnded: (session) => this.#reports.dataEnded(session),
        onUnread: (frames) => this.#reports.unread(frames),
      });
    };
    return this.#openings.open(call, createReceiver, {
      onPending: (outcome) => this.#sideWaits.channelWaits(clientId, outcome),
      hold: this.#joinOf(call, clientId, (began) => {
        joining = began;
      }),
    });
  }

  // protocol.md §12.7
  /** Holds a data channel until its worker has joined the cluster. Undefined: this host is alone. */
  #joinOf(call: CallContext, clientId: string, onBegan: (joining: Joining) => void): OpenOptions["hold"] {
    const joins = this.#parts.joins.now;
    if (joins === undefined) return undefined;
    return (principal) => {
      const joining = joins.join(call, clientId, principal);
      onBegan(joining);
      return joining;
    };
  }

  openControl(call: CallContext): ServerStreamReceiver {
    const clientId = requireClientId(call);
    const { options, controlSessions, counters, control, sessions } = this.#parts;
    const openedAs = this.#opened++;
    return this.#openings.open(call, (principal) => {
      this.#checkEntry(controlSessions, { call, clientId, openedAs, principal });
      return new ControlChannel({
        owner: ownerOf(call, clientId, principal),
        openedAs,
        account: this.#openings.accountOf(call),
        bounds: options,
        clock: options.clock,
        counters,
        logger: options.logger,
        hasHeartbeat: () => sessions.of(clientId)?.traits.capabilities.has("heartbeat") === true,
        onSession: (session) => this.#controlOpened(session),
        onEnvelope: (session, envelope) => control.route(session, envelope),
        onGone: (session, closing) => this.#controlGone(session, closing),
      });
    });
  }

  /** Ends all streams and the calls on them, as `drainChannels` says. */
  drain(graceMs: number, over: Promise<void>): Promise<void> {
    return drainChannels(this.#parts, graceMs, over);
  }

  /** Others needed the space that a client's registrations took: ends its channels and forgets the client. */
  giveWay(clientId: string, reason: string): void {
    const { sessions, controlSessions, registry } = this.#parts;
    const status = { code: StatusCode.resourceExhausted, details: reason };
    registry.forget(clientId);
    sessions.of(clientId)?.abort(status, "too-much");
    controlSessions.of(clientId)?.abort(status, "too-much");
  }

  /** A worker id belongs to the principal whose worker has a channel under it. Another's is known by its client id, or by one that the host makes. */
  #identify({ metadata }: CallContext, { clientId, principal }: StreamOwner): WorkerIdentity {
    const { workers, sessions, options } = this.#parts;
    const isFree = (workerId: string): boolean => {
      const other = workers.peerOf(workerId)?.id;
      const holder = other === undefined ? undefined : sessions.of(other);
      return holder === undefined || isSamePrincipal(holder.owner.principal, principal);
    };
    const said = isAnnounced(metadata) ? readIdentity(metadata, clientId) : unnamed(clientId);
    const id = [said.id, clientId].find(isFree) ?? options.makeId();
    return id === said.id ? said : { ...said, id };
  }

  #createSession(
    parts: Pick<SessionParts, "owner" | "openedAs" | "traits" | "worker" | "stream" | "account">,
  ): Session {
    const { options, dotnetWorkers, access, quotas } = this.#parts;
    const { clock, heartbeatMs, heartbeatTimeoutMs } = options;
    return new Session({
      ...parts,
      access: access?.ofSession(parts.owner, parts.account),
      quota: quotas?.of(parts.owner.principal, parts.account.party),
      dotnet: parts.traits.takesJsonEvents ? undefined : dotnetWorkers.opened(parts.owner.clientId),
      bounds: options,
      ...{ clock, heartbeatMs, heartbeatTimeoutMs },
      ...this.#reports.ofSession(heartbeatTimeoutMs),
    });
  }

  /**
   * Throws `RpcError` when the host stops, when the client id is another principal's, or when a newer stream of the client was
   * admitted first. It also throws when there are `maxSessions` channels and none gives way; but a client may always replace its own older one.
   */
  #checkEntry(
    channels: ChannelTable<Session> | ChannelTable<ControlSession>,
    entry: Entry,
    onRefused: () => void = () => undefined,
  ): void {
    try {
      this.#assertMayEnter(channels, entry);
    } catch (refusal) {
      onRefused();
      throw refusal;
    }
  }

  #assertMayEnter(
    channels: ChannelTable<Session> | ChannelTable<ControlSession>,
    { call, clientId, openedAs, principal }: Entry,
  ): void {
    const { options, admission, clientIds } = this.#parts;
    // It may have begun to stop while the stream waited for `authorize`.
    admission.assertOpen();
    clientIds.check(call, principal);
    const current = channels.of(clientId);
    if (current !== undefined && current.openedAs > openedAs) {
      throw new RpcError(replacedStatus.code, replacedStatus.details);
    }
    if (current !== undefined) return;
    const { maxSessions } = options;
    const quota = this.#parts.quotas?.of(principal, partyOfCall(call));
    quota?.assertMayHaveMore("channels", { clientId });
    const isForKnown = channels.size >= Math.floor(maxSessions * (1 - limits.knownShare));
    if ((!isForKnown || quota?.isKnown !== false) && channels.mayEnter(partyOfCall(call))) return;
    const detail = `This host takes ${maxSessions} channels at once.`;
    this.#reports.refused(clientId, detail);
    throw new RpcError(StatusCode.resourceExhausted, detail);
  }

  #dataOpened(session: Session): Session {
    const { sessions, counters, calls, registry, placement, others } = this.#parts;
    const replaced = sessions.enter(session);
    session.quota?.channelOpened();
    this.#boundKept(session);
    // After the entry, so that an observer that looks at the host finds the session.
    this.#reports.opened("data", session.owner, {
      isAnnounced: session.traits.isAnnounced,
      workerId: session.worker.id,
    });
    if (replaced !== undefined) {
      counters.replacedChannels += 1;
      this.#reports.replaced(replaced.owner, session.owner);
      replaced.finish(replacedStatus, "replaced");
      placement.peerEnded(replaced);
      others.now.workerEnded(replaced);
      calls.peerEnded(replaced, { inOrder: false });
    }
    placement.peerOpened(session);
    others.now.workerOpened(session);
    registry.clientArrived(session.id, { principal: session.owner.principal, account: session.account });
    calls.peerOpened(session);
    this.#sideWaits.channelOpened(session.id, session.owner.principal);
    if (session.dotnet?.channels === 2) this.#reports.reopened(session.id, registry.declaredBy(session.id).types);
    return session;
  }

  #dataGone(session: Session, closing: StreamClosing): void {
    const { sessions, calls, registry, placement, between, others, joins } = this.#parts;
    session.account.release(identityCost(session.worker));
    session.access?.close();
    session.quota?.channelClosed();
    joins.now?.ended(session, closing);
    const isCurrent = sessions.leave(session);
    // A channel that was replaced has left its types to the one that replaced it.
    this.#reports.dataClosed(session, closing, () => (isCurrent ? registry.declaredBy(session.id).types : noTypes));
    if (isCurrent) keepTypes(session, this.#parts);
    between.peerEnded(session);
    others.now.workerEnded(session);
    if (isCurrent) registry.clientLeft(session.id, session.traits.reconnectGraceMs);
    placement.peerEnded(session, { isLost: closing.reason === "lost" || closing.reason === "reset" });
    calls.peerEnded(session, { inOrder: closing.reason === "left" });
  }

  #quotaOf({ owner, account }: ControlSession): CallerQuota | undefined {
    return this.#parts.quotas?.of(owner.principal, account.party);
  }

  /** Counts for the principal, too, what the connection makes the host keep. */
  #boundKept({ owner, account }: Pick<ControlSession, "owner" | "account">): void {
    const { quotas } = this.#parts;
    if (quotas !== undefined && owner.principal !== undefined)
      account.joinBound(quotas.keptByPrincipal(owner.principal));
  }

  #controlOpened(session: ControlSession): void {
    const { controlSessions, control } = this.#parts;
    const replaced = controlSessions.enter(session);
    this.#quotaOf(session)?.channelOpened();
    this.#boundKept(session);
    this.#reports.opened("control", session.owner, { isAnnounced: false });
    if (replaced === undefined) return;
    replaced.finish(replacedStatus, "replaced");
    control.sessionEnded(replaced);
  }

  #controlGone(session: ControlSession, closing: StreamClosing): void {
    const { controlSessions, control } = this.#parts;
    controlSessions.leave(session);
    this.#quotaOf(session)?.channelClosed();
    control.sessionEnded(session);
    this.#reports.closed("control", session.owner, closing);
  }
}

const noTypes: ReadonlySet<string> = new Set();

function unnamed(clientId: string): WorkerIdentity {
  return { id: clientId, name: clientId, version: undefined, labels: {} };
}

const replacedStatus = { code: StatusCode.aborted, details: "replaced by a newer channel" } as const;
