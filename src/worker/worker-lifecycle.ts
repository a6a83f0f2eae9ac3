import {
  type AgentCatalog,
  assertNotAborted,
  errorText,
  loggableError,
  type SubscriptionTable,
  UndeliverableException,
  type WaitOptions,
} from "../core/internal.ts";
import type { LeavingFrame } from "../protocol/internal.ts";
import type { Claims } from "./claims/claims.ts";
import type { Leaving } from "./claims/leaving.ts";
import { ClusterMembership } from "./cluster-membership.ts";
import type { ConnectingStep } from "./connection/connect-with-retry.ts";
import { ConnectionSupervisor } from "./connection/connection-supervisor.ts";
import { HostConnection } from "./connection/host-connection.ts";
import { assertAddresses } from "./connection/host-link.ts";
import { HostList } from "./connection/host-list.ts";
import type { RegisterOptions } from "./connection/supervisor-options.ts";
import { sleepMs } from "./connection/time-limits.ts";
import type { StatusBoard } from "./connection/worker-status.ts";
import { createControlServer } from "./control/control-server.ts";
import { HostServices, type WorkerConnection } from "./host-services.ts";
import type { ConcurrencyLimiter } from "./inbound/concurrency-limiter.ts";
import type { InFlight } from "./inbound/in-flight.ts";
import type { Inbox } from "./inbound/inbox.ts";
import type { LeasedTurns } from "./lease/leased-turns.ts";
import { WorkerIdentities } from "./lease/worker-identities.ts";
import { closeOutgoing, type Outgoing, reopenOutgoing } from "./outbound/outgoing.ts";
import { PresentHost } from "./present-host.ts";
import { type HostRegistry, stopping, type UsedRegistry } from "./registry/host-registry.ts";
import { ReRegistration } from "./registry/re-registration.ts";
import { Registration } from "./registry/registration.ts";
import { alreadyRunning, assertSendingIn, drainedWhileStarting, isIdleIn, isRunningIn } from "./run-state.ts";
import type { WorkerCounters } from "./worker-counters.ts";
import { endAgents } from "./worker-drain.ts";
import { nextIdentity, type WorkerSettings } from "./worker-options.ts";
import { type WorkerClosed, WorkerStop } from "./worker-stop.ts";

export interface WorkerLifecycleOptions extends Outgoing {
  readonly settings: WorkerSettings;
  readonly counters: WorkerCounters;
  readonly status: StatusBoard;
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  readonly inbox: Inbox;
  readonly inFlight: InFlight;
  readonly limiter: ConcurrencyLimiter;
  readonly claims: Claims;
  readonly leaving: Leaving;
  /** The lease under which code of agents begins. */
  readonly lease: LeasedTurns;
  /** Agent types that are registered here and that another worker serves by now. */
  readonly elsewhere: Set<string>;
  readonly nextRequestNumber: () => number;
  /** Whether the worker keeps the states of its agents itself. */
  readonly hasStore: boolean;
}

/** Milliseconds between two checks whether an old connection is idle, so that the worker can leave it. */
const idleCheckMs = 100;
/** Number of client ids that the worker remembers. A host may still know the worker by the id of a lost connection. */
const clientIdsKept = 16;

/** Starts a worker, and holds its connections to what it registers. The connection supervisor holds the state. */
export class WorkerLifecycle {
  readonly registration: Registration;
  readonly host: PresentHost;
  readonly #options: WorkerLifecycleOptions;
  readonly #supervisor: ConnectionSupervisor<HostServices>;
  /** The last client ids of this worker; a host may still know it by them. */
  readonly #clientIds: string[] = [];
  readonly #stopping: WorkerStop;
  readonly #identities: WorkerIdentities;
  readonly #cluster: ClusterMembership;

  constructor(options: WorkerLifecycleOptions) {
    this.#options = options;
    const { settings, counters, status, sendQueue, catalog, subscriptions } = options;
    const hosts = new HostList(settings.addresses, settings.random);
    this.#identities = new WorkerIdentities(settings.identity, (before) => nextIdentity(before, settings.makeId));
    this.#cluster = new ClusterMembership({
      ...{ ...options, hosts, identities: this.#identities },
      isStopping: () => this.#stopping.run.aborted,
    });
    this.#supervisor = new ConnectionSupervisor<HostServices>({
      ...{ settings, counts: counters, status, queue: sendQueue, hosts },
      open: (address, signal) => this.#open(address, signal),
      register: (connection, how) => this.#register(connection, how),
      whenIdle: (connection, isRegistrar) => this.#whenIdle(connection, isRegistrar),
      onCurrent: (connection) => void this.#cluster.joined(connection),
      takeLast: (connection, timeoutMs) => this.#cluster.takeLast(connection, timeoutMs),
      onEnded: (connection, reason) => this.#onEnded(connection, reason),
      hurry: () => this.#stopping.hurrySignal,
      onGivenUp: (by, reason) => this.#onGivenUp(by, reason),
    });
    this.host = new PresentHost(this.#supervisor, settings.clock);
    this.registration = new Registration({
      ...{ catalog, subscriptions, settings },
      host: () => this.#hostRegistry(),
      run: () => this.#stopping.run,
    });
    this.#stopping = new WorkerStop({
      ...options,
      supervisor: this.#supervisor,
      isUntold: () => this.registration.isUntold,
    });
  }

  /**
   * Whether the worker is between its start and its stop, and has not given up its host. `status` tells whether it has a host
   * now.
   */
  get isRunning(): boolean {
    return isRunningIn(this.#supervisor.state);
  }

  /** Whether the worker can be started. */
  get isIdle(): boolean {
    return isIdleIn(this.#supervisor.state);
  }

  /** Resolves when the current run ends, or the next one if the worker does not run; never rejects. */
  get closed(): Promise<WorkerClosed> {
    return this.#stopping.closed;
  }

  /**
   * Connects and registers. Rejects when the worker can't reach the host, or the host refuses a registration. Rejects with
   * `CancelledError` when the signal aborts, and with `shutting-down` when it is stopped, or drained by an operator. The worker can be
   * started again then.
   */
  async start(options: WaitOptions = {}): Promise<void> {
    assertNotAborted(options, "The start of the worker");
    const { state } = this.#supervisor;
    if (!this.isIdle) throw alreadyRunning(state, this.#stopping);
    assertAddresses(this.#options.settings.addresses);
    this.#stopping.newRun({ hasStopped: state.at === "closed" && state.by === "stopped" });
    // A host that has not noticed the end of the last run, or that had to stop it, must not take this one for it.
    if (state.at === "closed") this.#cluster.becomeAnother();
    this.#options.lease.need(false);
    this.#options.inbox.intake = "all";
    this.#options.leaving.reset();
    reopenOutgoing(this.#options);
    try {
      await this.#supervisor.start(options.signal);
    } catch (error) {
      throw this.#stopping.isDrained ? drainedWhileStarting(error) : error;
    } finally {
      this.#stopping.startEnded();
    }
  }

  /**
   * Drains and leaves the host; stopping twice is fine. An aborted signal acts as `hurry`. Throws `wrong-state` when the worker
   * was never started. Never throws for a dead peer.
   */
  stop(options: WaitOptions = {}): Promise<void> {
    return this.#stopping.stop(options);
  }

  /** Stops a worker that runs. Ends the agents of one that does not. */
  async dispose(): Promise<void> {
    if (this.isIdle) await endAgents(this.#options);
    else await this.stop();
  }

  /** Makes a stop that runs end without waiting: it gives up handlers, and drops and counts queued messages. */
  hurry(): void {
    this.#stopping.hurry();
  }

  /** Handles that an operator wants the worker to stop. It stops by itself. */
  onDrain(graceMs: number): void {
    const { at } = this.#supervisor.state;
    if (at !== "idle" && at !== "closed") this.#stopping.drained(graceMs);
  }

  /**
   * Throws unless the worker can send a message now or later: `wrong-state` or `UndeliverableException`. `doing` is for the
   * text.
   */
  assertSending(doing: string): void {
    assertSendingIn(this.#supervisor.state, doing);
  }

  /** Handles a change in the amount of parked work. */
  reviewReading(): void {
    this.#supervisor.review();
  }

  /** Handles that a message begins to wait without a connection. */
  onStranded(): void {
    this.#supervisor.onStranded();
  }

  /** Handles the notice that the host of a connection ends within the grace. */
  onHostLeaving(connection: HostConnection, leaving: LeavingFrame): void {
    this.#supervisor.onHostLeaving(connection, leaving);
  }

  /** Handles what a host of a cluster says of this worker and of hosts. */
  onLeaseNotice(...notice: Parameters<ClusterMembership["take"]>): void {
    this.#cluster.take(...notice);
  }

  /** Something waits for a lease. */
  onLeaseMissed(): void {
    this.#cluster.hurry();
  }

  #open(address: string, signal: AbortSignal): Promise<WorkerConnection> {
    const { settings, counters, catalog, inbox, limiter, sendQueue, nextRequestNumber } = this.#options;
    const { claims, lease } = this.#options;
    const { logger } = settings;
    const controlServerOf = ({ outbox }: HostConnection) =>
      createControlServer({ catalog, claims, logger, from: () => outbox });
    const services = {
      ...{ settings, nextRequestNumber },
      sharingOf: (type: string) => catalog.sharingOf(type),
      tellsPrincipal: (type: string) => catalog.tellsPrincipal(type),
      isKeptAtHost: (type: string) => !this.#options.hasStore && catalog.keepsState(type),
    };
    return HostConnection.open({
      ...{ settings, lease, address, signal, expectsAnnouncement: this.host.wasAnnounced },
      introduce: (connection) => this.#cluster.introduce(connection),
      onHostKnown: (connection) => this.#cluster.hostKnown(connection),
      onVoid: (connection) => this.#cluster.voided(connection),
      createServices: (connection) =>
        new HostServices(connection, { ...services, controlServer: controlServerOf(connection) }),
      onFrame: (frame, from, bytes) => inbox.take(frame, from, bytes),
      onUnreadable: (error, head, from) => inbox.passOver(error, head, from),
      onLate: (messages) => {
        counters.unreadFrames += messages;
      },
      onAccepted: (connection) => this.#supervisor.onAccepted(connection),
      onHeaders: (connection) => {
        this.host.told(connection);
        if (connection === this.#supervisor.current) claims.notices.askUnsaid();
      },
      onDrain: ({ outbox }) => sendQueue.drained(outbox),
      isCrowded: () => limiter.isCrowded,
      linkRenewed: (connection) => this.#supervisor.linkRenewed(connection),
    });
  }

  /** Registers everything on a connection. Asks the host for a sign of life if there is nothing to register. */
  async #register(connection: WorkerConnection, how: RegisterOptions): Promise<void> {
    const { opensControlAtStart, reconnect, clock } = this.#options.settings;
    if (opensControlAtStart) connection.services.control.open();
    const registry = this.#registryOf(connection, how);
    if (this.registration.isEmpty) {
      await connection.confirm(how.signal);
      // The host may still find out who calls. A worker that does not come back has no other moment to learn that it is refused.
      if (reconnect.maxAttempts === 0) await Promise.race([connection.outbox.host.came(clock), connection.closed]);
      return;
    }
    // No other registrations wait during a replay.
    await this.registration.replay(registry, how.signal, (error) => connection.services.registry.giveUp(error));
  }

  /**
   * Returns the registry for a new connection. After a reconnect the host may still know the old client id, or may have given
   * types of this worker to another.
   */
  #registryOf(connection: WorkerConnection, { kind, signal, onWaiting }: RegisterOptions): HostRegistry {
    const { settings, elsewhere } = this.#options;
    const { registry } = connection.services;
    const oldIds = new Set(this.#clientIds);
    // A registration that a GOAWAY interrupted begins again on the same connection.
    if (!oldIds.has(connection.clientId)) this.#clientIds.push(connection.clientId);
    if (this.#clientIds.length > clientIdsKept) this.#clientIds.shift();
    if (kind === "start") {
      elsewhere.clear();
      return registry;
    }
    return new ReRegistration({
      ...{ registry, settings, signal, elsewhere },
      isOldClientId: (id) => oldIds.has(id),
      onWaiting: (step: ConnectingStep) => onWaiting(step),
    });
  }

  /**
   * Returns the registry of the host, in use until its release; undefined before the start. A registration during the start waits
   * for its end, so that the host gets it once.
   */
  async #hostRegistry(): Promise<UsedRegistry | undefined> {
    const { state } = this.#supervisor;
    if ((state.at === "connecting" || state.at === "registering") && state.search.kind === "start")
      await state.search.found?.catch(() => undefined);
    if (this.isIdle) return undefined;
    this.assertSending("registering");
    const run = this.#stopping.run;
    if (run.aborted) throw stopping();
    const { connection, release } = await this.#supervisor.registrar(this.#options.settings.registrationTimeoutMs);
    const assertUsable = () => {
      if (run.aborted) throw stopping();
      assertOpen(connection);
    };
    const { registry } = connection.services;
    return { registry, assertOpen: assertUsable, hasStopped: () => run.aborted, release };
  }

  /** Resolves when no handler, call, registration or state request is under way there: nothing is lost with an old connection. */
  async #whenIdle(connection: WorkerConnection, isRegistrar: boolean): Promise<void> {
    const { inFlight, settings } = this.#options;
    const { outbox, signal, services } = connection;
    while (!signal.aborted) {
      const isAsking = outbox.outgoingCallsCount > 0 || connection.states.size > 0;
      const isUsed = isAsking || connection.usersCount > 0 || !services.control.isIdle;
      const isHandling = isRegistrar ? inFlight.size > 0 : inFlight.uses(outbox);
      if (!isUsed && !isHandling) return;
      if (isUsed) await sleepMs(idleCheckMs, settings.clock, signal).catch(() => undefined);
      else await inFlight.idle(idleCheckMs, settings.clock, signal);
    }
  }

  #onEnded(connection: WorkerConnection, reason: string): void {
    const { counters, settings, inbox, calls, catalog } = this.#options;
    const { unsentEvents, unconfirmedEvents, unreadFrames } = connection.outbox;
    counters.lostEvents += unsentEvents;
    counters.unconfirmedEvents += unconfirmedEvents;
    counters.unreadFrames += unreadFrames;
    if (unsentEvents > 0) settings.logger.warn(`${unsentEvents} events had not left when the connection ended.`);
    this.#cluster.connectionEnded(connection);
    inbox.connectionEnded(connection);
    calls.connectionEnded(connection.outbox, reason);
    const { leaving, claims, lease } = this.#options;
    const { current } = this.#supervisor;
    if (current !== undefined && current !== connection && current.isOpen) {
      claims.notices.askAgain();
      if (!lease.isNeeded && this.#supervisor.hasLeavingHost(connection))
        counters.droppedEvents += leaving.hostLeft(connection.outbox);
      else leaving.connectionChanged(connection.outbox, current.outbox);
      return;
    }
    if (this.#cluster.keepAgents()) return;
    counters.droppedEvents += leaving.hostLost();
    if (!this.#options.hasStore) catalog.hostLost();
    if (!this.#stopping.run.aborted) this.#dropSharedAgents();
  }

  // protocol.md §11.14
  /** Without a host the worker can't know which of its agents of shared types other workers get. */
  #dropSharedAgents(): void {
    const { catalog, settings } = this.#options;
    catalog.dropShared().catch((error: unknown) => {
      settings.logger.error(`An agent failed to close: ${errorText(error)}`, { error: loggableError(error) });
    });
  }

  #onGivenUp(by: "lost" | "start-failed", because: string): void {
    const { logger } = this.#options.settings;
    this.#cluster.leaveCluster();
    switch (by) {
      case "lost": {
        const lost = closeOutgoing(this.#options, { code: "disconnected", text: because });
        logger.error(`The worker gives up its host${lostText(lost)}. ${because}`);
        this.#stopping.ended({ by, reason: because });
        return;
      }
      case "start-failed": {
        const text = `The worker could not start: ${because}`;
        const lost = closeOutgoing(this.#options, { code: "disconnected", text });
        if (lost > 0) logger.error(`The worker could not start${lostText(lost)}.`);
      }
    }
  }
}

/** Throws when the connection has ended: the next host may not know what this one has accepted. */
function assertOpen({ isOpen, address }: WorkerConnection): void {
  if (isOpen) return;
  const text = `The connection to the host at ${address} ended during the registration. Register again.`;
  throw new UndeliverableException(text, { code: "disconnected" });
}

function lostText(events: number): string {
  return events === 0 ? "" : `; ${events} queued events are lost`;
}
