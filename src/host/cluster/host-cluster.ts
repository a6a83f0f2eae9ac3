import type { ClusterMember, LifeEnd, MemberListener, SessionEnd, WorkerSession } from "../../cluster/internal.ts";
import { encodeFrame, peerLinks, troupeVersion } from "../../protocol/internal.ts";
import { type RpcStatus, StatusCode } from "../../transport/internal.ts";
import type { HostClusterOptions } from "../cluster-options.ts";
import type { HostComposition } from "../compose.ts";
import { limits } from "../limits.ts";
import { ChannelJoins, voidText } from "../membership/channel-joins.ts";
import { addressesOf, takingHosts } from "../membership/host-addresses.ts";
import { HostLives } from "../membership/host-lives.ts";
import { MemberView } from "../membership/member-view.ts";
import { WorkerBalance } from "../membership/worker-balance.ts";
import { ClusterOperations } from "../operations/cluster-operations.ts";
import type { HostStatus } from "../operations/host-status.ts";
import { openOwnAccount } from "../own-account.ts";
import { createLinkCounters } from "../peers/host-ways.ts";
import type { AgentRoutes } from "../placement/cluster/agent-routes.ts";
import { HeldClaimsTable } from "../placement/cluster/held-claims-table.ts";
import { formatTerms } from "../registry/shared-terms.ts";
import { type HostServicer, partsOf, setServing } from "../servicer.ts";
import type { Peer } from "../sessions/peer.ts";
import type { Session } from "../sessions/session.ts";
import type { ClusterHostCounters } from "./cluster-counters.ts";
import { type JoinedOthers, joinOthers } from "./join-others.ts";
import { shareAgents } from "./share-agents.ts";

// protocol.md §12.7
/** A host in its cluster: its lives, the joins of its workers, and its links to the other hosts. It starts once, before the host takes workers. */
export class HostCluster {
  readonly #servicer: HostServicer;
  readonly #host: HostComposition;
  readonly #options: HostClusterOptions;
  readonly #operations: ClusterOperations;
  readonly #joins: ChannelJoins;
  readonly #lives: HostLives;
  /** The view of the present life. */
  #view: MemberView;
  /** The places of agents of shared types at other hosts. */
  readonly #routes: AgentRoutes;
  readonly #balance: WorkerBalance | undefined;
  #links: JoinedOthers | undefined;
  #isEnding = false;
  #isTellingHosts = false;

  /** `stop` stops the host in order, within so many milliseconds. It never rejects. */
  constructor(servicer: HostServicer, options: HostClusterOptions, stop: (graceMs: number) => void) {
    const host = partsOf(servicer);
    this.#servicer = servicer;
    this.#host = host;
    this.#options = options;
    const { clock, makeId, maxClaims } = host.options;
    const held = new HeldClaimsTable({ maxClaims, batches: host.batches });
    this.#joins = new ChannelJoins({
      ...{ clock, admission: host.admission, life: () => this.#lives.now },
      places: host.shared("waiting registrations", limits.waitingRegistrations),
      onOpened: (channel) => this.#tellHostsTo(channel),
      onOver: (channel, end) => this.#sessionOver(channel, end),
    });
    this.#lives = new HostLives({
      ...{ options, clock, makeId, logger: host.rateLimited, shards: host.mailShards },
      listenerOf: (member) => this.#listenerOf(member),
      storedGeneration: () => (host.options.keepsStates ? host.held.newestGeneration : 0),
      onNextLife: (member, end) => this.#nextLife(member, end),
      onBegun: () => this.#begun(),
      held,
    });
    const { maxRoutes = 1_000_000, moveTimeoutMs = 30_000 } = options;
    this.#routes = shareAgents(host, { member: () => this.#lives.member, held, maxRoutes, moveTimeoutMs });
    this.#view = this.#viewOf(this.#lives.member);
    this.#operations = new ClusterOperations({
      ...{ name: this.#view.name, member: () => this.#lives.member, links: () => this.#links },
      ...{ statusHere: () => this.#status(), agents: host.operations.agents, stop, clock, logger: host.options.logger },
      messageTypes: host.operations.messageTypes,
      ...{ rows: host.operations.ownRows, drains: host.drains, rules: host.options.rules },
      openAccount: () => openOwnAccount(host.accountant, "request of the operator"),
    });
    host.operations.cluster = this.#operations;
    this.#balance = (options.balanceWorkers ?? true) ? this.#balanceOf() : undefined;
    if (host.mailShards !== undefined) host.mailShards.tellOthers = (shards) => this.#lives.member.tellMail(shards);
  }

  /** The links to the other hosts. Undefined: the host has not started. */
  get links(): JoinedOthers | undefined {
    return this.#links;
  }

  /**
   * Joins the cluster: afterwards the host may take workers. Rejects with `invalid-argument` for peers that are not safe, and if the other hosts
   * have other time limits. It also rejects as the listener for the other hosts does.
   */
  async start(): Promise<void> {
    const { transport, peerAddress, peerSecret, advertisePeer } = this.#options;
    const { maxPeerQueuedBytes: maxQueuedBytes, maxPeerQueuedFrames: maxQueuedFrames } = this.#options;
    const { joins } = this.#host;
    this.#warnOfStates();
    joins.now = this.#joins;
    const links = await joinOthers(this.#servicer, {
      ...{ cluster: this.#view, transport, address: peerAddress, secret: peerSecret },
      bounds: { maxQueuedBytes, maxQueuedFrames },
      operatorAsked: (ask) => this.#operations.answer(ask),
    });
    this.#links = links;
    this.#lives.describe({ peerAddress: advertisePeer ?? links.address });
    await this.#lives.start();
    if (this.#lives.member.isServing) await this.#firstLinks(links);
    if (!this.#isEnding) this.#balance?.start();
  }

  /** Returns the counters of the host in its cluster, and its present numbers. */
  counters(): ClusterHostCounters {
    const { member } = this.#lives;
    const { routes, gates } = this.#routes.sizes;
    const links = this.#links?.counters() ?? createLinkCounters();
    const { droppedEvents, lostEvents, unconfirmedEvents, sentEvents, ...others } = links;
    return {
      ...{ peerLinks: this.#links?.linkedHosts().to.length ?? 0, shardsHeld: member.shards?.owned.length ?? 0 },
      balancedWorkers: this.#balance?.asked ?? 0,
      ...{ routes, gates, leaseLeftMs: Math.floor(member.leaseLeftMs), ...this.#lives.counters, ...others },
      ...{ sentPeerEvents: sentEvents, droppedPeerEvents: droppedEvents, lostPeerEvents: lostEvents },
      unconfirmedPeerEvents: unconfirmedEvents,
    };
  }

  /** The host takes workers at this address. */
  takesWorkersAt(address: string): void {
    this.#lives.describe({ workerAddress: this.#options.advertiseWorkers ?? address });
  }

  /** Ends the life at once, also while it begins. */
  abandon(): void {
    this.#isEnding = true;
    this.#balance?.stop();
    this.#routes.close();
    this.#lives.abandon();
  }

  // protocol.md §12.7
  /**
   * Tells Troupe's workers to go to other hosts, leaves the shards of the mail to them, and takes no new channels. Resolves when workers and
   * shards are gone, or when `over` does. Until then the host serves as before. Never rejects.
   */
  async handOver(graceMs: number, over: Promise<void>): Promise<void> {
    this.#isEnding = true;
    this.#balance?.stop();
    const { member } = this.#lives;
    void this.#lives.drain();
    this.#joins.close();
    if (!member.isServing || addressesOf(member, Math.random, member.hostId).length === 0) return;
    this.#tellLeaving(graceMs);
    const { others } = this.#host;
    const workersGone = this.#joins.troupeGone().then(() => others.now.moved());
    // Before the courier stops: what it has under way would come to its agent again.
    await Promise.race([Promise.all([workersGone, member.handOverShards()]), over]);
  }

  /** Leaves the cluster, when the channels of all workers have ended. Never rejects. */
  async leave(): Promise<void> {
    this.#isEnding = true;
    this.#balance?.stop();
    await this.#lives.leave();
    this.#routes.close();
  }

  #status(): HostStatus {
    const { member } = this.#lives;
    const { workers, options, readCounters } = this.#host;
    const now = readCounters();
    return {
      version: troupeVersion,
      protocol: { oldest: peerLinks.version, newest: peerLinks.version },
      ...{ life: this.#lives.count, isServing: member.isServing, leaseLeftMs: Math.floor(member.leaseLeftMs) },
      workers: workers.size,
      stockWorkers: new Set(
        this.#joins.open.flatMap(({ channel, worker }) => (worker.kind === "stock" ? [channel.worker.id] : [])),
      ).size,
      ...{ types: now.agentTypes, subscriptions: now.subscriptions, agents: now.claims, calls: now.pendingCalls },
      ...{ queuedBytes: now.queuedBytes, heldBytes: now.heldBytes, maxHeldBytes: options.maxMemoryBytes },
      shards: member.shards?.owned ?? [],
      links: this.#links?.reports() ?? [],
      counters: { ...this.counters() },
    };
  }

  #warnOfStates(): void {
    const { options, rateLimited } = this.#host;
    if (options.keepsStates) return;
    rateLimited?.warn(
      'this host keeps no states, so that persistent agents are refused: a cluster needs a state store that takes several writers, such as openPostgresStore with writers: "many"',
    );
  }

  #viewOf(member: ClusterMember): MemberView {
    const { name = "troupe" } = this.#options;
    return new MemberView({
      ...{ name, member, joins: this.#joins, clock: this.#host.options.clock },
      isMoving: (session) => this.#isMoving(session),
      isThere: (workerId) => this.#host.others.now.workerOf(workerId)?.isOpen === true,
    });
  }

  #isMoving(session: WorkerSession): boolean {
    return this.#joins.open.some(
      ({ channel }) => this.#joins.sessionOf(channel) === session && this.#joins.isMoving(channel),
    );
  }

  #listenerOf(member: () => ClusterMember): MemberListener {
    const isNow = (): boolean => this.#lives.member === member();
    return {
      onServing: (isServing) => {
        if (!isNow()) return;
        setServing(this.#servicer, isServing);
        this.#host.observers.now?.({ at: "lease", what: isServing ? "held" : "lost" });
        if (!isServing && !this.#isEnding) this.#isolated();
      },
      onHost: (record) => {
        if (!isNow()) return;
        this.#view.hostChanged(record);
        this.#tellHosts();
      },
      onWorker: ({ workerId, state }) => {
        if (state !== "gone" || !isNow()) return;
        this.#view.workerGone(workerId);
        this.#routes.workerGone(workerId);
      },
      onType: ({ type }) => {
        this.#placesChanged(isNow());
        if (isNow()) this.#links?.typeChanged(type);
      },
      onServers: () => this.#placesChanged(isNow()),
      onMail: (shards) => this.#host.mailShards?.hear(shards),
    };
  }

  #placesChanged(isNow: boolean): void {
    if (!isNow) return;
    this.#host.placement.changed();
    this.#routes.serversChanged();
  }

  /** Resolves when this host has a link to each host that is up, or after 2 s. */
  async #firstLinks(links: JoinedOthers): Promise<void> {
    const { clock } = this.#host.options;
    const ownId = this.#lives.member.hostId;
    const others = this.#lives.member.hosts.living().filter(({ hostId }) => hostId !== ownId);
    await links.linkedTo(
      others.map(({ hostId }) => hostId),
      (onLate) => clock.setTimer(limits.firstLinksMs, onLate),
    );
  }

  /** The lease of this host is over: Troupe's workers go to other hosts. Stock ones stay, since they would not come back. */
  #isolated(): void {
    const { clock } = this.#host.options;
    const channels = this.#tellLeaving(limits.isolatedChannelMs);
    clock.setTimer(limits.isolatedChannelMs, () => {
      for (const channel of channels) channel.finish(isolatedStatus, "isolated");
    });
  }

  // protocol.md §11.19
  /** Tells Troupe's workers to go to other hosts. Returns their channels. */
  #tellLeaving(givenMs: number): readonly Session[] {
    const { options } = this.#host;
    const { member } = this.#lives;
    const channels = this.#joins.open.map(({ channel }) => channel).filter(({ traits }) => traits.isAnnounced);
    for (const channel of channels) {
      const addresses = channel.traits.capabilities.has("lease")
        ? addressesOf(member, options.random, member.hostId)
        : undefined;
      this.#tellLeavingTo(channel, givenMs, addresses);
    }
    return channels;
  }

  #tellLeavingTo(channel: Peer, givenMs: number, addresses: readonly string[] | undefined): void {
    const graceMs = Math.min(Math.ceil(givenMs), limits.timerMs);
    const leaving = encodeFrame({ kind: "leaving", graceMs, addresses });
    if (channel.notify(leaving) === "full") this.#host.counters.lostNotices += 1;
  }

  // protocol.md §12.7
  #balanceOf(): WorkerBalance {
    const { options, workers, directory } = this.#host;
    const { clock, random } = options;
    return new WorkerBalance({
      ...{ clock, random, joins: this.#joins },
      hosts: () => {
        const { member } = this.#lives;
        if (!member.isServing) return undefined;
        const { hostId: own, knownWorkers } = member;
        const all = takingHosts(member).map(({ hostId, workerAddress }) => ({
          ...{ hostId, workerAddress, workers: knownWorkers.countAt(hostId) },
        }));
        return { own, all };
      },
      isHere: (channel) => this.#joins.sessionOf(channel)?.isOver === false,
      isDraining: (workerId) => workers.isDraining(workerId),
      loadOf: ({ worker, incomingCalls }) => directory.countOf(worker.id) + incomingCalls.size,
      ask: (channel, addresses) => this.#tellLeavingTo(channel, limits.balanceGraceMs, addresses),
    });
  }

  /** Tells all workers, in batches, to which hosts they may connect. Changes that come together are told once. */
  #tellHosts(): void {
    if (this.#isTellingHosts) return;
    this.#isTellingHosts = true;
    this.#host.batches.add(this, this.#hostNotices());
  }

  *#hostNotices(): Iterable<() => void> {
    this.#isTellingHosts = false;
    for (const { channel } of this.#joins.open) yield () => this.#tellHostsTo(channel);
  }

  #tellHostsTo(channel: Session): void {
    const { member } = this.#lives;
    if (!channel.traits.capabilities.has("lease") || !channel.isOpen || this.#isEnding) return;
    channel.notify(encodeFrame({ kind: "hosts", addresses: addressesOf(member, this.#host.options.random) }));
  }

  /** The session of an open channel is over. */
  #sessionOver(channel: Session, end: Exclude<SessionEnd, "ended">): void {
    switch (end) {
      case "elsewhere": {
        // A worker that changes its connection has two channels here; one that moves to another host finishes on the older what it has.
        const { member } = this.#lives;
        const isHere = member.knownWorkers.get(channel.worker.id)?.record.hostId === member.hostId;
        if (!isHere && !this.#joins.isLeaving(channel)) channel.finish(replacedStatus, "replaced");
        return;
      }
      case "void":
        if (channel.traits.capabilities.has("lease")) channel.notify(encodeFrame({ kind: "void" }));
        channel.finish({ code: StatusCode.aborted, details: voidText }, "gone");
        return;
      case "life-over":
        // The next life decides.
        return;
    }
  }

  /** The life of this host is over, and the next one begins: nothing that was known counts. */
  #nextLife(member: ClusterMember, end: Exclude<LifeEnd, "left">): void {
    this.#view = this.#viewOf(member);
    const { others } = this.#host;
    const why = end === "dead" ? "was declared dead" : "has lost the store of its cluster";
    const status = { code: StatusCode.aborted, details: `This host ${why}, and begins anew. Connect again.` };
    for (const { channel, worker } of this.#joins.open) {
      others.now.workerEnded(channel);
      if (worker.kind === "troupe" || channel.traits.isAnnounced) channel.finish(status, "isolated");
    }
    this.#links?.continueAs(this.#view);
  }

  /** The life serves: stock workers whose channels stand join it. */
  #begun(): void {
    for (const { channel, worker } of this.#joins.open)
      if (worker.kind === "stock" && this.#joins.sessionOf(channel)?.isOver === true) void this.#joinAgain(channel);
  }

  async #joinAgain(channel: Session): Promise<void> {
    const { placement, registry, others, owners } = this.#host;
    const life = this.#lives.now;
    const session = await this.#joins.joinAgain(channel);
    // The next life joins it once more.
    if (this.#lives.now !== life || !channel.isOpen) return;
    if (session === undefined) {
      channel.finish(
        { code: StatusCode.aborted, details: "This host could not join the worker to its cluster." },
        "gone",
      );
      return;
    }
    placement.peerEnded(channel);
    channel.identifyAnew(session.workerId);
    placement.peerOpened(channel);
    others.now.workerOpened(channel);
    for (const agentType of [...registry.declaredBy(channel.id).types]) {
      if (!channel.isOpen) return;
      const shared = owners.shared(agentType);
      const terms = shared && formatTerms(shared);
      const grant = await others.now.claimType({
        ...{ agentType, clientId: channel.id, isShared: shared !== undefined, terms },
      });
      if (grant?.at !== "held") continue;
      const details = `Agent type ${agentType} already registered with client ${grant.by}.`;
      channel.finish({ code: StatusCode.aborted, details }, "gone");
    }
  }
}

const isolatedStatus: RpcStatus = {
  code: StatusCode.unavailable,
  details: "This host has lost touch with its cluster. Connect to another one.",
};
const replacedStatus: RpcStatus = { code: StatusCode.aborted, details: "replaced by a newer channel" };
