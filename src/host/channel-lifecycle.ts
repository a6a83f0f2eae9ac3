import { encodeFrame, isAnnounced, readFrameHead, readIdentity, type WorkerIdentity } from "../protocol/internal.ts";
import {
  type CallContext,
  createUncountedAccount,
  type MemoryAccount,
  partyOfCall,
  RpcError,
  type RpcStatus,
  type ServerStreamReceiver,
  StatusCode,
} from "../transport/internal.ts";
import type { BatchRunner } from "./batch-runner.ts";
import type { CallRouter } from "./calls/call-router.ts";
import { ChannelReports } from "./channel-reports.ts";
import type { ClientIdOwners } from "./client-id-owners.ts";
import { ControlChannel } from "./control/control-channel.ts";
import type { ControlRouter } from "./control/control-router.ts";
import type { ControlSession } from "./control/control-session.ts";
import type { MutableHostCounters } from "./counters.ts";
import { limits } from "./limits.ts";
import type { HostObserver } from "./observer.ts";
import { capabilitiesOf, type ResolvedHostOptions } from "./options.ts";
import type { Placement } from "./placement/placement.ts";
import { identityCost, type Workers } from "./placement/workers.ts";
import { isSamePrincipal } from "./principal.ts";
import type { Registry } from "./registry/registry.ts";
import type { Router } from "./router.ts";
import {
  type Admission,
  type Admitted,
  clientIdOf,
  PendingAdmission,
  requireClientId,
  shuttingDownText,
} from "./sessions/admission.ts";
import { AwaitedStream } from "./sessions/awaited-stream.ts";
import type { ChannelTable } from "./sessions/channel-table.ts";
import { DataChannel, type StreamClosing } from "./sessions/data-channel.ts";
import type { DotnetWorkers } from "./sessions/dotnet-worker.ts";
import { peerTraits } from "./sessions/peer.ts";
import { Session, type SessionParts, type StreamOwner } from "./sessions/session.ts";
import { SideStream } from "./sessions/side-stream.ts";
import { SideWaits } from "./sessions/side-waits.ts";
import type { StateService } from "./states/state-service.ts";
import { StateStream } from "./states/state-stream.ts";

export interface ChannelLifecycleParts {
  readonly options: ResolvedHostOptions;
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  readonly admission: Admission;
  readonly clientIds: ClientIdOwners;
  readonly sessions: ChannelTable<Session>;
  readonly dotnetWorkers: DotnetWorkers;
  readonly controlSessions: ChannelTable<ControlSession>;
  readonly registry: Registry;
  readonly placement: Placement;
  readonly workers: Workers;
  readonly calls: CallRouter;
  readonly states: StateService;
  readonly courier: { stop(): void } | undefined;
  readonly told: { drain(): void };
  readonly control: ControlRouter;
  readonly router: Router;
  readonly observer: HostObserver | undefined;
}

interface Entry {
  readonly call: CallContext;
  readonly clientId: string;
  readonly openedAs: number;
  readonly principal: Admitted;
}

type CreateReceiver = (principal: Admitted) => ServerStreamReceiver;

interface OpenOptions {
  readonly onPending?: (outcome: Promise<Admitted>) => void;
  /** Says what an admitted stream still waits for. Undefined: nothing. */
  readonly hold?: (principal: Admitted) => PendingAdmission | undefined;
}

interface BesideOptions {
  /** Whether the worker of this data channel may open the stream. */
  readonly takes: (session: Session) => boolean;
  readonly createReceiver: (session: Session, owner: StreamOwner) => ServerStreamReceiver;
}

/** Opens and ends the streams of workers, and tells the rooms of the host in the right order. */
export class ChannelLifecycle {
  readonly #parts: ChannelLifecycleParts;
  readonly #uncounted = createUncountedAccount();
  readonly #reports: ChannelReports;
  readonly #sideWaits: SideWaits;
  /** How many channels have been opened; numbers them, so that an older one does not replace a newer one. */
  #openings = 0;

  constructor(parts: ChannelLifecycleParts) {
    this.#parts = parts;
    const { counters, options, observer } = parts;
    this.#reports = new ChannelReports({ counters, logger: options.logger, observer });
    this.#sideWaits = new SideWaits(parts.admission);
  }

  /** Opens a worker's data channel. Without `client-id` the worker is of generation 1, and the host makes an id for it. */
  openData(call: CallContext): ServerStreamReceiver {
    const { options, sessions, router } = this.#parts;
    const { acceptLegacyWorkers, makeId } = options;
    const clientId = clientIdOf(call) ?? (acceptLegacyWorkers ? makeId() : requireClientId(call));
    const capabilities = capabilitiesOf(options);
    const traits = peerTraits(call.metadata, { ...options, capabilities });
    const openedAs = this.#openings++;
    const createReceiver: CreateReceiver = (principal) => {
      this.#checkEntry(sessions, { call, clientId, openedAs, principal });
      const owner = ownerOf(call, clientId, principal);
      const account = this.#accountOf(call);
      return new DataChannel({
        traits,
        capabilities,
        createSession: (stream) => {
          const worker = this.#identify(call, owner);
          account.add(identityCost(worker));
          return this.#dataOpened(this.#createSession({ owner, openedAs, traits, worker, stream, account }));
        },
        onFrame: (session, frame) => router.receive(session, frame),
        onBadFrame: (session, bad, head) => router.receiveBad(session, bad, head && readFrameHead(head)),
        onGone: (session, closing) => this.#dataGone(session, closing),
        onEnded: (session) => this.#reports.dataEnded(session),
        onUnread: (frames) => this.#reports.unread(frames),
      });
    };
    return this.#open(call, createReceiver, {
      onPending: (outcome) => this.#sideWaits.channelWaits(clientId, outcome),
    });
  }

  openControl(call: CallContext): ServerStreamReceiver {
    const clientId = requireClientId(call);
    const { options, controlSessions, counters, control, sessions } = this.#parts;
    const openedAs = this.#openings++;
    return this.#open(call, (principal) => {
      this.#checkEntry(controlSessions, { call, clientId, openedAs, principal });
      return new ControlChannel({
        owner: ownerOf(call, clientId, principal),
        openedAs,
        account: this.#accountOf(call),
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

  // protocol.md §11.7
  /** Opens a side stream, for notices to a Troupe worker whose data channel is open. It belongs to that channel's principal. */
  openSide(call: CallContext): ServerStreamReceiver {
    return this.#openBeside(call, {
      takes: ({ traits }) => traits.isAnnounced,
      createReceiver: (session, owner) => new SideStream({ session, ...this.#besideParts(call, "side", owner) }),
    });
  }

  // protocol.md §11.15
  /** Opens a stream of states, for a Troupe worker whose data channel is open. It belongs to that channel's principal. */
  openStates(call: CallContext): ServerStreamReceiver {
    const { states: service, counters } = this.#parts;
    return this.#openBeside(call, {
      takes: ({ traits }) => traits.capabilities.has("states"),
      createReceiver: (session, owner) =>
        new StateStream({ session, service, counters, ...this.#besideParts(call, "states", owner) }),
    });
  }

  /** Opens a stream beside a data channel of its principal. */
  #openBeside(call: CallContext, { takes, createReceiver: create }: BesideOptions): ServerStreamReceiver {
    const clientId = requireClientId(call);
    const { sessions, admission, clientIds } = this.#parts;
    const createReceiver: CreateReceiver = (principal) => {
      admission.assertOpen();
      clientIds.check(call, principal);
      const session = sessions.of(clientId);
      if (session === undefined || !takes(session)) throw noDataChannel();
      return create(session, ownerOf(call, clientId, principal));
    };
    // The worker's own data channel may wait for `authorize` too, perhaps beside those of others under its id.
    if (!this.#sideWaits.hasChannel(clientId)) return this.#open(call, createReceiver);
    const hold = (principal: Admitted): PendingAdmission | undefined => {
      const owner = sessions.of(clientId)?.owner;
      const isOpen = owner !== undefined && isSamePrincipal(owner.principal, principal);
      return isOpen ? undefined : this.#sideWaits.wait(clientId, call, principal);
    };
    return this.#open(call, createReceiver, { hold });
  }

  #besideParts(call: CallContext, channel: "side" | "states", owner: StreamOwner) {
    const { options } = this.#parts;
    return {
      account: this.#accountOf(call),
      bounds: options,
      clock: options.clock,
      onOpened: () => this.#reports.opened(channel, owner, true),
      onEnded: (closing: StreamClosing) => this.#reports.closed(channel, owner, closing),
    };
  }

  // protocol.md H21
  /**
   * Tells Troupe's workers that the host leaves in `graceMs`, refuses everything new, and answers every pending call. Then it
   * ends all channels with UNAVAILABLE once their queues are empty, or when `over` resolves. Never rejects.
   */
  async drain(graceMs: number, over: Promise<void>): Promise<void> {
    const { batches, counters, admission, sessions, controlSessions, calls, states, courier, registry } = this.#parts;
    const open = sessions.all();
    const leaving = encodeFrame({ kind: "leaving", graceMs: Math.min(Math.ceil(graceMs), limits.timerMs) });
    for (const session of open) {
      if (session.traits.isAnnounced && session.notify(leaving) === "full") counters.lostNotices += 1;
    }
    courier?.stop();
    admission.drain();
    const written = states.drain();
    this.#parts.told.drain();
    const ending = calls.drain();
    if (ending !== undefined) await Promise.race([ending, over]);
    // The calls whose answers ride on commits have their outcome then.
    await Promise.race([written, over]);
    batches.finish();
    registry.close();
    await endWhenFlushed([...open, ...controlSessions.all()], over);
  }

  /** Others needed the space that a client's registrations took: ends its channels and forgets the client. */
  giveWay(clientId: string, reason: string): void {
    const { sessions, controlSessions, registry } = this.#parts;
    const status = { code: StatusCode.resourceExhausted, details: reason };
    registry.forget(clientId);
    sessions.of(clientId)?.abort(status, "too-much");
    controlSessions.of(clientId)?.abort(status, "too-much");
  }

  #accountOf(call: CallContext): MemoryAccount {
    return call.account ?? this.#uncounted;
  }

  /** Opens a stream once it is admitted, and once `hold` lets it go. `onPending` learns of an admission that is not decided. */
  #open(
    call: CallContext,
    createReceiver: CreateReceiver,
    { onPending, hold }: OpenOptions = {},
  ): ServerStreamReceiver {
    const admitted = this.#parts.admission.admit(call);
    const pending = admitted instanceof PendingAdmission ? admitted : undefined;
    if (pending !== undefined) onPending?.(pending.outcome);
    const own = admitted instanceof PendingAdmission ? admitted.outcome : admitted;
    if (!(own instanceof Promise) && hold === undefined) return createReceiver(own);
    let held: PendingAdmission | undefined;
    const heldBack = async (): Promise<Admitted> => {
      const principal = await own;
      held = hold?.(principal);
      return held === undefined ? principal : held.outcome;
    };
    const onGone = (): void => {
      pending?.cancel();
      held?.cancel();
    };
    return new AwaitedStream({
      admitted: hold === undefined ? Promise.resolve(own) : heldBack(),
      account: this.#accountOf(call),
      ...{ createReceiver, onGone },
    });
  }

  /** A worker id belongs to the principal whose worker has a channel under it; another's is known by its client id, or by one that the host makes. */
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
    const { options, dotnetWorkers } = this.#parts;
    const { clock, heartbeatMs, heartbeatTimeoutMs } = options;
    return new Session({
      ...parts,
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
    const { maxSessions } = options;
    if (current !== undefined || channels.mayEnter(partyOfCall(call))) return;
    const detail = `This host takes ${maxSessions} channels at once.`;
    this.#reports.refused(clientId, detail);
    throw new RpcError(StatusCode.resourceExhausted, detail);
  }

  #dataOpened(session: Session): Session {
    const { sessions, counters, calls, registry, placement } = this.#parts;
    const replaced = sessions.enter(session);
    // After the entry, so that an observer that looks at the host finds the session.
    this.#reports.opened("data", session.owner, session.traits.isAnnounced);
    if (replaced !== undefined) {
      counters.replacedChannels += 1;
      replaced.finish(replacedStatus, "replaced");
      placement.peerEnded(replaced);
      calls.peerEnded(replaced, { inOrder: false });
    }
    placement.peerOpened(session);
    registry.clientArrived(session.id, { principal: session.owner.principal, account: session.account });
    calls.peerOpened(session);
    this.#sideWaits.channelOpened(session.id, session.owner.principal);
    if (session.dotnet?.channels === 2) this.#reports.reopened(session.id, registry.declaredBy(session.id).types);
    return session;
  }

  #dataGone(session: Session, closing: StreamClosing): void {
    const { sessions, calls, registry, placement } = this.#parts;
    session.account.release(identityCost(session.worker));
    const isCurrent = sessions.leave(session);
    // A channel that was replaced has left its types to the one that replaced it.
    this.#reports.dataClosed(session, closing, () => (isCurrent ? registry.declaredBy(session.id).types : noTypes));
    if (isCurrent) registry.clientLeft(session.id, session.traits.reconnectGraceMs);
    placement.peerEnded(session, { isLost: closing.reason === "lost" || closing.reason === "reset" });
    calls.peerEnded(session, { inOrder: closing.reason === "left" });
  }

  #controlOpened(session: ControlSession): void {
    const { controlSessions, control } = this.#parts;
    const replaced = controlSessions.enter(session);
    this.#reports.opened("control", session.owner, false);
    if (replaced === undefined) return;
    replaced.finish(replacedStatus, "replaced");
    control.sessionEnded(replaced);
  }

  #controlGone(session: ControlSession, closing: StreamClosing): void {
    const { controlSessions, control } = this.#parts;
    controlSessions.leave(session);
    control.sessionEnded(session);
    this.#reports.closed("control", session.owner, closing);
  }
}

const noTypes: ReadonlySet<string> = new Set();

function unnamed(clientId: string): WorkerIdentity {
  return { id: clientId, name: clientId, version: undefined, labels: {} };
}

const replacedStatus = { code: StatusCode.aborted, details: "replaced by a newer channel" } as const;
const goodbye: RpcStatus = { code: StatusCode.unavailable, details: shuttingDownText };

function ownerOf(call: CallContext, clientId: string, principal: Admitted): StreamOwner {
  return { clientId, address: call.peer, userAgent: call.metadata["user-agent"] ?? "", principal };
}

function noDataChannel(): RpcError {
  const text = "No data channel of a Troupe worker is open under this client-id.";
  return new RpcError(StatusCode.failedPrecondition, text);
}

interface Drainable {
  flushed(): Promise<void>;
  finish(status: RpcStatus, reason: "stopping"): void;
  abort(status: RpcStatus, reason: "stopping"): void;
}

/** Ends each channel once its queue is empty, and cuts off the rest when `over` resolves. Never rejects. */
async function endWhenFlushed(channels: readonly Drainable[], over: Promise<void>): Promise<void> {
  const ends = channels.map(async (channel) => {
    await channel.flushed();
    channel.finish(goodbye, "stopping");
  });
  const isFlushed = await Promise.race([Promise.all(ends), over]);
  if (isFlushed === undefined) for (const channel of channels) channel.abort(goodbye, "stopping");
}
