import { type AgentCatalog, errorText, loggableError } from "../core/internal.ts";
import type { HostsFrame, LastFrame, VoidFrame } from "../protocol/internal.ts";
import { mostAgentsOfNotice } from "../protocol/internal.ts";
import type { Claim } from "./claims/claim.ts";
import type { Claims } from "./claims/claims.ts";
import type { Leaving } from "./claims/leaving.ts";
import type { HostConnection } from "./connection/host-connection.ts";
import type { HostList } from "./connection/host-list.ts";
import { atMost, sleepMs } from "./connection/time-limits.ts";
import type { WorkerConnection } from "./host-services.ts";
import type { InFlight } from "./inbound/in-flight.ts";
import type { Inbox } from "./inbound/inbox.ts";
import type { LeasedTurns } from "./lease/leased-turns.ts";
import type { WorkerIdentities } from "./lease/worker-identities.ts";
import type { WorkerCounters } from "./worker-counters.ts";
import { announcementFor, type WorkerSettings } from "./worker-options.ts";

export interface ClusterMembershipOptions {
  readonly settings: WorkerSettings;
  readonly counters: WorkerCounters;
  readonly catalog: AgentCatalog;
  readonly claims: Claims;
  readonly leaving: Leaving;
  readonly inbox: Inbox;
  readonly inFlight: InFlight;
  readonly lease: LeasedTurns;
  readonly identities: WorkerIdentities;
  readonly hosts: HostList;
  /** Whether the worker stops, or has stopped. */
  readonly isStopping: () => boolean;
}

/** Milliseconds between two checks whether all has begun that a leaving host has sent. */
const begunCheckMs = 10;
/** Bytes of names in one notice that lists agents, as far as one agent does not have more. */
const mostHoldsBytes = 256 * 1024;

// protocol.md §11.19
/**
 * The part of a worker in a cluster: it has a lease, and keeps its agents when it changes its host. At a host without a cluster it only says
 * which connection it opens, and drops its agents of shared types with that host.
 */
export class ClusterMembership {
  readonly #options: ClusterMembershipOptions;
  /** The connection that was opened last. A host answers for the lease there, and only there. */
  #newest: HostConnection | undefined;
  /** Whether a host has taken the worker under its present id. */
  #hasJoined = false;
  /** Called when a leaving host has said that it sends no more. */
  #onLast: { readonly connection: HostConnection; readonly resolve: () => void } | undefined;

  constructor(options: ClusterMembershipOptions) {
    this.#options = options;
  }

  /** A data channel is opened: returns the metadata with which the worker says whose it is, and what the worker knows. */
  introduce(connection: HostConnection): { readonly [name: string]: string } {
    const { settings, identities, lease, claims } = this.#options;
    // A cluster knows nothing of a worker that has not joined, and takes its second connection for that of one that is gone.
    if (!this.#hasJoined && identities.hasConnected && claims.size === 0) identities.renew();
    this.#newest = connection;
    lease.begin(connection);
    return { ...announcementFor(settings), ...identities.nextConnection() };
  }

  /** It is known what the host of a connection is. */
  hostKnown(connection: HostConnection): void {
    const { lease } = this.#options;
    if (connection !== this.#newest) return;
    if (connection.outbox.host.knowsLease) {
      lease.need(true);
      connection.startLease();
    } else this.leaveCluster();
  }

  /** The worker has gone to a host without a cluster, or to none: its agents of shared types may be placed elsewhere. */
  leaveCluster(): void {
    const { lease, leaving, counters } = this.#options;
    if (!lease.isNeeded) return;
    counters.lostEvents += leaving.placementsEnd();
    this.#dropShared("stale");
    lease.need(false);
  }

  /** From now on the worker is another one to every host. */
  becomeAnother(): void {
    this.#hasJoined = false;
    this.#options.identities.renew();
  }

  /** Something waits for a lease. */
  hurry(): void {
    this.#newest?.hurryLease();
  }

  /** The worker registers on this connection, or has registered there. */
  async joined(connection: WorkerConnection): Promise<void> {
    const { lease, settings, claims, isStopping } = this.#options;
    this.#hasJoined = true;
    if (!lease.isNeeded || isStopping()) return;
    // A stock host may send nothing. Until it is known to be one, the worker has no lease.
    await connection.outbox.host.came(settings.clock);
    if (claims.size > 0 && connection.outbox.host.knowsLease) await this.#list(connection);
  }

  /**
   * A connection has ended. At a host of a cluster the worker drops what has not begun of what came there. Call it before the calls of that
   * connection end in another way.
   */
  connectionEnded(connection: HostConnection): void {
    const { lease, inbox, counters } = this.#options;
    if (!lease.isNeeded) return;
    counters.lostEvents += inbox.dropUnbegun(connection);
    if (connection === this.#newest) lease.end();
  }

  /** The worker has no connection any more. Returns true if it keeps its agents: no host gives them away as long as the worker is not gone. */
  keepAgents(): boolean {
    const { lease, claims, catalog, isStopping } = this.#options;
    if (!lease.isNeeded || isStopping()) return false;
    claims.hostGone();
    catalog.hostLost();
    return true;
  }

  /** Takes what a host of a cluster says of this worker, and of hosts. */
  take(notice: VoidFrame | HostsFrame | LastFrame, connection: HostConnection): void {
    if (!connection.outbox.host.knowsLease) return;
    switch (notice.kind) {
      case "void":
        return this.voided(connection);
      case "hosts":
        if (connection === this.#newest) this.#options.hosts.tell(notice.addresses);
        return;
      case "last":
        if (connection === this.#onLast?.connection) this.#onLast.resolve();
    }
  }

  /** No host serves this worker any more. It forgets its agents of shared types, and becomes another worker. */
  voided(connection: HostConnection): void {
    const { settings, identities, lease, leaving, counters } = this.#options;
    // Twice is fine: by the notice, and by the end of the channel.
    if (connection !== this.#newest) return;
    this.#newest = undefined;
    lease.end();
    const text = `The cluster has given up worker ${identities.workerId}: it had no host for too long. It drops its agents of shared types, and joins again under another id.`;
    settings.logger.warn(text);
    this.becomeAnother();
    counters.lostEvents += leaving.placementsEnd();
    this.#dropShared("moved");
    connection.cut("no host of the cluster serves this worker under its id any more.");
  }

  /** Has the host send no more, and resolves when all has begun that it has sent, or when the time is up. Never rejects. */
  async takeLast(connection: HostConnection, timeoutMs: number): Promise<void> {
    const { settings, inFlight } = this.#options;
    const { clock } = settings;
    const { outbox, signal } = connection;
    const endMs = clock.now() + timeoutMs;
    const last = new Promise<true>((resolve) => {
      this.#onLast = { connection, resolve: () => resolve(true) };
    });
    if (!outbox.sayLease({ kind: "moving" })) return;
    const came = await atMost(last, timeoutMs, clock, signal);
    this.#onLast = undefined;
    if (came === undefined) return;
    while (!signal.aborted && clock.now() < endMs && inFlight.hasUnbegun(outbox))
      await sleepMs(begunCheckMs, clock, signal).catch(() => undefined);
  }

  /** Tells the host which agents of shared types are here, in lots, and asks again for those that are to leave. */
  async #list(connection: HostConnection): Promise<void> {
    const { claims } = this.#options;
    const { outbox, signal } = connection;
    for (const lot of lotsOf(claims.all())) {
      const held = lot.filter((claim) => claim.state === "held" && claims.isCurrent(claim));
      const agents = held.map(({ type, key, epoch }) => ({ type, key, epoch }));
      if (agents.length > 0 && !outbox.sayLease({ kind: "holds", agents })) return;
      await outbox.flushed();
      if (signal.aborted || connection !== this.#newest) return;
    }
    claims.notices.askAgain();
  }

  #dropShared(reason: "stale" | "moved"): void {
    const { catalog, settings } = this.#options;
    catalog.dropShared(reason).catch((error: unknown) => {
      settings.logger.error(`An agent failed to close: ${errorText(error)}`, { error: loggableError(error) });
    });
  }
}

function* lotsOf(claims: readonly Claim[]): Generator<readonly Claim[]> {
  let lot: Claim[] = [];
  let bytes = 0;
  for (const claim of claims) {
    // A character has three bytes at most.
    const more = 3 * (claim.type.length + claim.key.length);
    if (lot.length > 0 && (lot.length === mostAgentsOfNotice || bytes + more > mostHoldsBytes)) {
      yield lot;
      lot = [];
      bytes = 0;
    }
    lot.push(claim);
    bytes += more;
  }
  if (lot.length > 0) yield lot;
}
