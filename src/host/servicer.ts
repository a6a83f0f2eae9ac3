import {
  encodeFrame,
  type GetStateAnswer,
  readFrameHead,
  type SaveStateAnswer,
  type StoredState,
  type WireAgentId,
  type WireSubscription,
} from "../protocol/internal.ts";
import {
  type CallContext,
  type LinkService,
  RpcError,
  type ServerStreamReceiver,
  StatusCode,
} from "../transport/internal.ts";
import { CallRouter } from "./calls/call-router.ts";
import { ControlChannel } from "./control/control-channel.ts";
import { ControlRouter } from "./control/control-router.ts";
import type { ControlSession } from "./control/control-session.ts";
import { LegacyState } from "./control/legacy-state.ts";
import { createHostCounters, type HostCounters, type MutableHostCounters } from "./counters.ts";
import { EventRouter } from "./events/event-router.ts";
import { limits } from "./limits.ts";
import { createLinkService, createSignalService } from "./link-service.ts";
import { type HostOptions, type ResolvedHostOptions, resolveHostOptions } from "./options.ts";
import { SharedOwners } from "./placement/shared-owners.ts";
import { SoleOwner } from "./placement/sole-owner.ts";
import { RateLimitedLogger } from "./rate-limited-logger.ts";
import { ChannelRegistration } from "./registry/channel-registration.ts";
import { Registry, type RegistryBounds } from "./registry/registry.ts";
import type { Directory } from "./registry/type-owners.ts";
import { Router } from "./router.ts";
import { Admission, clientIdOf, requireClientId } from "./sessions/admission.ts";
import { DataChannel } from "./sessions/data-channel.ts";
import { drainSessions } from "./sessions/drain.ts";
import { peerTraits, Session, type SessionParts } from "./sessions/session.ts";
import { reportOf, type SessionReport } from "./sessions/session-report.ts";
import { SessionTable } from "./sessions/session-table.ts";
import { SideStream } from "./sessions/side-stream.ts";

/**
 * The eight calls of `agents.AgentRpc` in all three generations, and the routing between the workers that make them
 * (protocol.md §1). It knows no network: `asLinkService()` is what a listener serves. Methods throw `RpcError` to refuse.
 */
export class HostServicer {
  readonly #options: ResolvedHostOptions;
  readonly #quiet: RateLimitedLogger | undefined;
  readonly #tally: MutableHostCounters = createHostCounters();
  readonly #admission: Admission;
  readonly #sessions = new SessionTable();
  readonly #directory: Directory;
  readonly #registry: Registry;
  readonly #calls: CallRouter;
  readonly #control: ControlRouter;
  readonly #router: Router;
  readonly #states: LegacyState;

  constructor(hostOptions: HostOptions = {}) {
    const given = resolveHostOptions(hostOptions);
    this.#quiet = given.logger && new RateLimitedLogger(given.logger, given.clock);
    const options = { ...given, logger: this.#quiet };
    const { logger, clock, makeId, ownOnly, allowMultipleOwners, registrationOrphanMs: orphanMs } = options;
    const bounds: RegistryBounds = options;
    const tally = this.#tally;
    const sessions = this.#sessions;
    const directory = allowMultipleOwners ? new SharedOwners(options.random) : new SoleOwner();
    const registry = new Registry({ directory, tally, clock, logger, orphanMs, ownOnly, allowMultipleOwners, bounds });
    this.#options = options;
    this.#directory = directory;
    this.#registry = registry;
    this.#admission = new Admission(options);
    this.#calls = new CallRouter({ options, tally, directory, sessions });
    this.#control = new ControlRouter({ tally, directory, sessions, logger });
    this.#router = new Router({
      calls: this.#calls,
      events: new EventRouter({ tally, directory, routing: registry.routing, sessions, logger }),
      registration: new ChannelRegistration(registry, makeId),
      tally,
      logger,
    });
    this.#states = new LegacyState(options.stateStore);
  }

  /** A worker's data channel. Without `client-id` it is generation 1's and gets an id made here. */
  openChannel(call: CallContext): ServerStreamReceiver {
    const { acceptLegacyWorkers, makeId } = this.#options;
    const clientId = clientIdOf(call) ?? (acceptLegacyWorkers ? makeId() : requireClientId(call));
    this.#admission.check(call);
    this.#checkRoom(this.#sessions.data, clientId);
    const traits = peerTraits(call.metadata, this.#options);
    return new DataChannel({
      traits,
      createSession: (stream) => this.#opened(this.#createSession(call, { clientId, traits, stream })),
      onFrame: (session, frame) => this.#router.receive(session, frame),
      onBadFrame: (session, reason, head) => this.#router.receiveBad(session, reason, head && readFrameHead(head)),
      onGone: (session) => this.#gone(session),
      onEnded: ({ lostEvents, unconfirmedEvents, unreadFrames }) => {
        this.#tally.lostEvents += lostEvents;
        this.#tally.unconfirmedEvents += unconfirmedEvents;
        this.#tally.unreadFrames += unreadFrames;
      },
    });
  }

  openControlChannel(call: CallContext): ServerStreamReceiver {
    const clientId = requireClientId(call);
    this.#admission.check(call);
    this.#checkRoom(this.#sessions.control, clientId);
    return new ControlChannel({
      clientId,
      bounds: this.#options,
      clock: this.#options.clock,
      tally: this.#tally,
      logger: this.#options.logger,
      onSession: (session) => this.#controlOpened(session),
      onEnvelope: (session, envelope) => this.#control.route(session, envelope),
      onGone: (session) => {
        this.#sessions.control.leave(session);
        this.#control.sessionEnded(session);
      },
    });
  }

  /** A stream for the signals to a worker of Troupe's whose data channel is open (protocol.md §11.7). */
  openSignals(call: CallContext): ServerStreamReceiver {
    const session = this.#sessions.data.of(this.#clientOf(call));
    if (session?.traits.isAnnounced) {
      return new SideStream({ session, bounds: this.#options, clock: this.#options.clock });
    }
    throw new RpcError(
      StatusCode.failedPrecondition,
      "No data channel of a Troupe worker is open under this client-id.",
    );
  }

  async registerAgent({ agentType }: { readonly agentType: string }, call: CallContext): Promise<void> {
    const clientId = this.#clientOf(call);
    const outcome = this.#registry.registerType(clientId, agentType);
    switch (outcome.at) {
      case "registered":
        return;
      case "taken":
        throw invalid(`Agent type ${agentType} already registered with client ${outcome.by}.`);
      case "invalid":
        throw invalid(outcome.reason);
      case "full":
        throw new RpcError(StatusCode.resourceExhausted, outcome.reason);
    }
  }

  async addSubscription(subscription: WireSubscription, call: CallContext): Promise<void> {
    const clientId = this.#clientOf(call);
    const outcome = this.#registry.addSubscription(clientId, subscription);
    switch (outcome.at) {
      case "added":
        return;
      case "exists":
        throw invalid("Subscription already exists");
      case "invalid":
        throw invalid(outcome.reason);
      case "full":
        throw new RpcError(StatusCode.resourceExhausted, outcome.reason);
    }
  }

  async removeSubscription({ id }: { readonly id: string }, call: CallContext): Promise<void> {
    const clientId = this.#clientOf(call);
    switch (this.#registry.removeSubscription(clientId, id)) {
      case "removed":
        return;
      case "unknown":
        throw new RpcError(StatusCode.notFound, "Subscription does not exist");
      case "foreign":
        throw new RpcError(StatusCode.permissionDenied, "Subscription belongs to another client");
    }
  }

  /** All clients' subscriptions, in the order they were added, under the ids their clients gave. */
  async getSubscriptions(call: CallContext): Promise<readonly WireSubscription[]> {
    this.#clientOf(call);
    return this.#registry.subscriptions();
  }

  async getState(agentId: WireAgentId, call: CallContext): Promise<GetStateAnswer> {
    this.#admission.check(call);
    return this.#states.get(agentId);
  }

  async saveState(state: StoredState, call: CallContext): Promise<SaveStateAnswer> {
    this.#admission.check(call);
    return this.#states.save(state, clientIdOf(call));
  }

  /** This servicer as a listener takes it: `agents.AgentRpc`. */
  asLinkService(): LinkService {
    return createLinkService(this, this.#options.clock);
  }

  /** What only Troupe's workers call, for the same listener. Without it those with too much to do drop events that could wait here. */
  asSignalService(): LinkService {
    return createSignalService(this);
  }

  counters(): HostCounters {
    const sessions = this.#sessions.data.all();
    return {
      ...this.#tally,
      dormantClients: this.#registry.dormantCount,
      queuedFrames: sessions.reduce((sum, { queuedFrames }) => sum + queuedFrames, 0),
      queuedBytes: sessions.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0),
      channels: this.#sessions.data.size,
      controlChannels: this.#sessions.control.size,
      pendingCalls: this.#calls.pendingCount,
      agentTypes: this.#directory.size,
      subscriptions: this.#registry.subscriptionCount,
    };
  }

  /** What is going on with each worker that has a channel now. */
  sessions(): readonly SessionReport[] {
    return this.#sessions.data.all().map(reportOf);
  }

  /**
   * Tells Troupe's workers that the host goes in `graceMs`, refuses what is new, answers every pending call with `Host is
   * shutting down.`, then ends all channels with UNAVAILABLE once their queues are empty, or when `over` resolves (protocol.md
   * H21). Twice is fine; never rejects.
   */
  async drain(graceMs: number, over: Promise<void>): Promise<void> {
    const sessions = this.#sessions.data.all();
    const leaving = encodeFrame({ kind: "leaving", graceMs: Math.min(Math.ceil(graceMs), limits.timerMs) });
    for (const session of sessions) {
      if (session.traits.isAnnounced && session.signal(leaving) === "full") this.#tally.lostSignals += 1;
    }
    this.#admission.drain();
    this.#calls.drain();
    this.#registry.close();
    await drainSessions([...sessions, ...this.#sessions.control.all()], over);
    this.#quiet?.flush();
  }

  #createSession(call: CallContext, parts: Pick<SessionParts, "clientId" | "traits" | "stream">): Session {
    const { clock, logger } = this.#options;
    return new Session({
      ...parts,
      peer: call.peer,
      bounds: this.#options,
      clock,
      onOverflow: ({ clientId, queuedFrames, queuedBytes }) =>
        logger?.warn("a worker reads too slowly; what it is sent is dropped or refused from now on", {
          clientId,
          queuedFrames,
          queuedBytes,
        }),
      onRelief: ({ clientId }, lost) => logger?.info("a worker that read too slowly has caught up", { clientId, lost }),
      onCutOff: ({ clientId }) => {
        this.#tally.overflowedChannels += 1;
        logger?.warn("a worker is cut off: it does not read what it is sent", { clientId });
      },
    });
  }

  /** A client may always replace its own channel. */
  #checkRoom(channels: SessionTable["data"] | SessionTable["control"], clientId: string): void {
    const { maxSessions } = this.#options;
    if (channels.size < maxSessions || channels.of(clientId) !== undefined) return;
    this.#tally.refusedByLimit += 1;
    throw new RpcError(StatusCode.resourceExhausted, `This host takes ${maxSessions} channels at once.`);
  }

  #clientOf(call: CallContext): string {
    const clientId = requireClientId(call);
    this.#admission.check(call);
    return clientId;
  }

  #opened(session: Session): Session {
    const { clientId, peer } = session;
    this.#options.logger?.info("a worker has joined", { clientId, peer });
    const replaced = this.#sessions.data.enter(session);
    if (replaced !== undefined) {
      this.#tally.replacedChannels += 1;
      replaced.finish(replacedStatus);
      this.#calls.sessionEnded(replaced);
    }
    this.#registry.clientArrived(clientId);
    this.#calls.sessionOpened(session);
    return session;
  }

  #gone(session: Session): void {
    const { clientId, droppedEvents, refusedCalls, traits } = session;
    this.#options.logger?.info("a worker has left", { clientId, droppedEvents, refusedCalls });
    if (this.#sessions.data.leave(session)) this.#registry.clientLeft(clientId, traits.reconnectGraceMs);
    this.#calls.sessionEnded(session);
  }

  #controlOpened(session: ControlSession): void {
    const replaced = this.#sessions.control.enter(session);
    if (replaced === undefined) return;
    replaced.finish(replacedStatus);
    this.#control.sessionEnded(replaced);
  }
}

const replacedStatus = { code: StatusCode.aborted, details: "replaced by a newer channel" } as const;

function invalid(details: string): RpcError {
  return new RpcError(StatusCode.invalidArgument, details);
}
