import {
  type GetStateAnswer,
  readFrameHead,
  type SaveStateAnswer,
  type StoredState,
  type WireAgentId,
  type WireSubscription,
} from "../protocol/index.ts";
import {
  type CallContext,
  type LinkService,
  RpcError,
  type ServerStreamReceiver,
  StatusCode,
} from "../transport/index.ts";
import { Admission, clientIdOf, requireClientId } from "./admission.ts";
import { CallRouter } from "./call-router.ts";
import { ChannelRegistration } from "./channel-registration.ts";
import { ControlChannel } from "./control-channel.ts";
import { ControlRouter } from "./control-router.ts";
import type { ControlSession } from "./control-session.ts";
import { createTally, type HostCounters, type Tally } from "./counters.ts";
import { DataChannel } from "./data-channel.ts";
import type { Directory } from "./directory.ts";
import { drainSessions } from "./drain.ts";
import { EventRouter } from "./event-router.ts";
import { createLinkService } from "./link-service.ts";
import { type HostOptions, type ResolvedHostOptions, resolveHostOptions } from "./options.ts";
import { Registry } from "./registry.ts";
import { Router } from "./router.ts";
import { peerTraits, type Session } from "./session.ts";
import { SessionTable } from "./session-table.ts";
import { SharedOwnerDirectory } from "./shared-owner-directory.ts";
import { SoleOwnerDirectory } from "./sole-owner-directory.ts";
import { StateDesk } from "./state-desk.ts";

/**
 * The eight calls of `agents.AgentRpc` in all three generations, and the routing between the workers that make them
 * (protocol.md §1). It knows no network: `asLinkService()` is what a listener serves. Methods throw `RpcError` to refuse.
 */
export class HostServicer {
  readonly #options: ResolvedHostOptions;
  readonly #tally: Tally = createTally();
  readonly #admission: Admission;
  readonly #sessions = new SessionTable();
  readonly #directory: Directory;
  readonly #registry: Registry;
  readonly #calls: CallRouter;
  readonly #control: ControlRouter;
  readonly #router: Router;
  readonly #states: StateDesk;

  constructor(hostOptions: HostOptions = {}) {
    const options = resolveHostOptions(hostOptions);
    const { logger, clock, makeId, ownOnly, allowMultipleOwners, registrationOrphanMs: orphanMs } = options;
    const tally = this.#tally;
    const sessions = this.#sessions;
    const directory = allowMultipleOwners ? new SharedOwnerDirectory(options.random) : new SoleOwnerDirectory();
    const registry = new Registry({ directory, tally, clock, logger, orphanMs, ownOnly, allowMultipleOwners });
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
    this.#states = new StateDesk(options.stateStore);
  }

  /** A worker's data channel. Without `client-id` it is generation 1's and gets an id made here. */
  openChannel(call: CallContext): ServerStreamReceiver {
    const { acceptLegacyWorkers, makeId } = this.#options;
    const clientId = clientIdOf(call) ?? (acceptLegacyWorkers ? makeId() : requireClientId(call));
    this.#admission.check(call);
    return new DataChannel({
      clientId,
      peer: call.peer,
      traits: peerTraits(call.metadata, this.#options),
      onSession: (session) => this.#opened(session),
      onFrame: (session, frame) => this.#router.receive(session, frame),
      onBadFrame: (session, reason, head) => this.#router.receiveBad(session, reason, head && readFrameHead(head)),
      onGone: (session) => this.#gone(session),
    });
  }

  openControlChannel(call: CallContext): ServerStreamReceiver {
    const clientId = requireClientId(call);
    this.#admission.check(call);
    return new ControlChannel({
      clientId,
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

  /** This servicer as a listener takes it. */
  asLinkService(): LinkService {
    return createLinkService(this);
  }

  counters(): HostCounters {
    return {
      ...this.#tally,
      channels: this.#sessions.data.size,
      controlChannels: this.#sessions.control.size,
      pendingCalls: this.#calls.pendingCount,
      agentTypes: this.#directory.size,
      subscriptions: this.#registry.subscriptionCount,
    };
  }

  /**
   * Refuses what is new, answers every pending call with `Host is shutting down.`, then ends all channels with UNAVAILABLE
   * once their queues are empty or `graceMs` has passed (protocol.md H21). Twice is fine; never rejects.
   */
  async drain(graceMs: number): Promise<void> {
    this.#admission.drain();
    this.#calls.drain();
    this.#registry.close();
    await drainSessions([...this.#sessions.data.all(), ...this.#sessions.control.all()], graceMs, this.#options.clock);
  }

  #clientOf(call: CallContext): string {
    const clientId = requireClientId(call);
    this.#admission.check(call);
    return clientId;
  }

  #opened(session: Session): void {
    const { clientId, peer } = session;
    this.#options.logger?.info("a worker has joined", { clientId, peer });
    const replaced = this.#sessions.data.enter(session);
    if (replaced !== undefined) {
      replaced.finish(replacedStatus);
      this.#calls.sessionEnded(replaced);
    }
    this.#registry.clientArrived(clientId);
    this.#calls.sessionOpened(session);
  }

  #gone(session: Session): void {
    const { clientId } = session;
    this.#options.logger?.info("a worker has left", { clientId });
    if (this.#sessions.data.leave(session)) this.#registry.clientLeft(clientId);
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
