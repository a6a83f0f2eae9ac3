// Over 400 lines: one class is the port of the other hosts and hears all links. Its methods hand on to its tables.
import { type Clock, type CountedQueue, isValidAgentType, type Timer } from "../../core/internal.ts";
import type {
  FrameHead,
  PeekedChunk,
  PeekedEvent,
  PeerBounce,
  PeerEventTarget,
  PeerInterest,
  PeerTaken,
  PeerUnaryAnswer,
} from "../../protocol/internal.ts";
import type { Dialer, MemoryAccount, Metadata, RpcError } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { Peer } from "../sessions/peer.ts";
import type { ClusterHost, ClusterHostsListener, ClusterView, TypeApplicant, TypeGrant } from "./cluster-view.ts";
import type { BadFrame, ControlLink, HostWays, LinkCounters, LinkOccurrence, LinkReport } from "./host-ways.ts";
import type { AcceptedLinks } from "./links/accepted-links.ts";
import { ControlLinks } from "./links/control-links.ts";
import { DialledHosts } from "./links/dialled-hosts.ts";
import type { AskingHost, LinkSettings, OutgoingLink } from "./links/outgoing-link.ts";
import {
  type ForwardedCall,
  type FoundElsewhere,
  keyOfType,
  keyOfWorker,
  type OtherHosts,
  type RingHost,
} from "./other-hosts.ts";
import type { LinkFlushes } from "./places/link-flushes.ts";
import { LookUps } from "./places/look-ups.ts";
import { PlaceChanges } from "./places/place-changes.ts";
import { type ExpectedMessage, giveBackExpected, type PlaceGates } from "./places/place-gates.ts";
import { TypeClaims } from "./places/type-claims.ts";
import { InterestElsewhere } from "./told/interest-elsewhere.ts";
import { MovedInterest } from "./told/moved-interest.ts";
import type { TellingBounds } from "./told/told-bounds.ts";
import type { Pattern, ToldPresence } from "./told/told-presence.ts";
import { WorkersElsewhere } from "./told/workers-elsewhere.ts";
import { UnaryAsks } from "./unary-asks.ts";
import type { CallLink, WorkerElsewhere } from "./worker-elsewhere.ts";

export interface LinkedHostsParts extends LinkSettings {
  readonly clock: Clock;
  readonly cluster: ClusterView;
  readonly ways: HostWays;
  readonly dialer: Dialer;
  readonly metadata: Metadata;
  readonly random: () => number;
  readonly openAccount: (giveWay: () => void) => MemoryAccount;
  readonly accepted: AcceptedLinks;
  readonly presence: ToldPresence;
  readonly telling: TellingBounds;
  /** Hold messages of this host for exclusive types, and those of other hosts. */
  readonly gates: PlaceGates;
  readonly expected: PlaceGates<ExpectedMessage>;
  readonly flushes: LinkFlushes;
  readonly counters: LinkCounters;
  readonly report: (what: LinkOccurrence) => void;
  /** Ends the listener when the links have ended. Never rejects. */
  readonly onClosed: () => Promise<void>;
}

// protocol.md §12
/** The other hosts of a cluster: dials each that is up, and knows what is there. */
export class LinkedHosts implements OtherHosts, AskingHost, ClusterHostsListener {
  readonly areThere = true;
  readonly #parts: LinkedHostsParts;
  readonly #dialled: DialledHosts;
  readonly #types: TypeClaims;
  readonly #workers = new WorkersElsewhere();
  readonly #interest = new InterestElsewhere<CallLink>();
  readonly #asks: UnaryAsks;
  readonly #control: ControlLinks;
  /** Types whose place the cluster is asked for; messages for them wait. */
  readonly #lookUps: LookUps;
  readonly #moved: MovedInterest;
  readonly #changes: PlaceChanges;
  /** Waits for workers that take over the types of lost ones. */
  readonly #freed = new Set<Timer>();
  readonly #unwatch: () => void;
  #isClosed = false;

  constructor(parts: LinkedHostsParts) {
    this.#parts = parts;
    const { cluster, ways, clock } = parts;
    this.#dialled = new DialledHosts({ ...parts, onChanged: () => ways.hostsChanged() });
    this.#asks = new UnaryAsks(clock);
    this.#control = new ControlLinks(this.#asks);
    this.#types = new TypeClaims({
      ...{ clock, cluster },
      isServed: ways.isServed,
      onRefused: (applicant) => ways.typeLost(applicant),
    });
    this.#lookUps = new LookUps({
      cluster,
      onKnown: (agentType, isServed) => {
        const isKnown = isServed || cluster.isShared(agentType);
        parts.gates.release(keyOfType(agentType), isKnown ? undefined : agentType);
      },
    });
    this.#changes = new PlaceChanges({
      ...{ cluster, workers: this.#workers, gates: parts.gates, flushes: parts.flushes },
      isSought: (agentType) => this.#lookUps.has(agentType),
    });
    this.#moved = new MovedInterest({
      ...{ clock, presence: parts.presence, isTold: (pattern) => this.#interest.has(pattern) },
      maxPatterns: parts.telling.maxPatterns,
    });
    this.#unwatch = cluster.watchHosts(this);
  }

  get hostId(): string {
    return this.#parts.cluster.hostId;
  }

  get ringHosts(): readonly RingHost[] {
    return this.#dialled.ringHosts;
  }

  get isServing(): boolean {
    return this.#parts.cluster.isServing;
  }

  /** The ids of the hosts to which this one has an open link. */
  get hostIds(): readonly string[] {
    return this.#dialled.hostIds;
  }

  /** Frames that wait for other hosts. */
  get queues(): readonly CountedQueue[] {
    return this.#dialled.queues;
  }

  /** The links to and from each other host that is up or has a link. */
  get reports(): readonly LinkReport[] {
    return this.#dialled.reports;
  }

  /** Asks all hosts for a sign of life, for the round trips. */
  measure(): void {
    this.#dialled.measure();
  }

  /** Asks one host. Undefined: there is no link to it. */
  askHost(hostId: string, forwarded: ForwardedCall, timeoutMs: number): Promise<Uint8Array | RpcError> | undefined {
    const link = this.#dialled.to(hostId);
    return link && this.#asks.tryAsk(link, forwarded, timeoutMs);
  }

  /** Resolves when this host has an open link to each of these hosts, or when the time is up that `startTimer` begins. */
  linkedTo(hostIds: readonly string[], startTimer: (onLate: () => void) => Timer): Promise<void> {
    return this.#dialled.linkedTo(hostIds, startTimer);
  }

  hostUp(host: ClusterHost): void {
    if (this.#isClosed || host.hostId === this.#parts.cluster.hostId) return;
    this.#dialled.dial(host, this, (link, reason, wasOpen) => this.#lost(host.hostId, link, reason, wasOpen));
  }

  hostDown(hostId: string): void {
    this.#dialled.hangUp(hostId);
  }

  workerGone(workerId: string): void {
    this.#moved.remove(workerId);
    const key = keyOfWorker(workerId);
    const { cluster, gates, clock } = this.#parts;
    if (!cluster.isLost(workerId)) return gates.release(key);
    // One may be about to register them that has waited for the end of this worker's host.
    const timer = clock.setTimer(limits.freedTypesMs, () => {
      this.#freed.delete(timer);
      gates.release(key);
    });
    this.#freed.add(timer);
  }

  find(agentType: string, party?: string): FoundElsewhere | undefined {
    if (this.#lookUps.has(agentType)) return laterByType(agentType);
    const workerId = this.#parts.cluster.workerOf(agentType);
    if (workerId === undefined) return this.#lookUp(agentType, party);
    return this.#workers.ofWorker(workerId)?.place ?? { at: "later", key: keyOfWorker(workerId) };
  }

  isPlaceOf(channel: Peer, agentType: string): boolean {
    return this.#parts.cluster.workerOf(agentType) === channel.worker.id;
  }

  doubt(agentType: string, party: string): void {
    this.#lookUp(agentType, party);
  }

  gateFor(agentType: string): string | undefined {
    return this.#changes.gateFor(agentType);
  }

  cameBack(from: WorkerElsewhere, agentType: string): string {
    return this.#changes.callCameBack(from, agentType);
  }

  eventCameBack(link: CallLink, agentType: string): string {
    return this.#changes.eventCameBack(link, agentType);
  }

  workerIdOf(agentType: string): string | undefined {
    return this.#parts.cluster.workerOf(agentType);
  }

  isLost(workerId: string): boolean {
    return this.#parts.cluster.isLost(workerId);
  }

  isExpectedHere(agentType: string): boolean {
    const workerId = this.workerIdOf(agentType);
    return workerId !== undefined && this.#parts.presence.hasWorker(workerId);
  }

  visitTypes(topicType: string, visit: (agentType: string) => void): void {
    if (!this.#interest.isEmpty) this.#interest.visit(topicType, visit);
    this.#moved.visit(topicType, visit);
  }

  sendEvent(from: Peer, bytes: Uint8Array, targets: ReadonlyMap<CallLink, readonly PeerEventTarget[]>): number {
    const { counters } = this.#parts;
    let sent = 0;
    for (const [link, ofLink] of targets) {
      if (link.sendEvent(ofLink, bytes, from.account.party, 0) === "queued") sent += 1;
      else counters.droppedEvents += 1;
    }
    counters.sentEvents += sent;
    return sent;
  }

  publish(
    from: Peer,
    event: PeekedEvent,
    isServedHere: (agentType: string) => boolean,
    hold: (gate: string, agentType: string) => void,
  ): number {
    if (this.#interest.isEmpty && this.#moved.isEmpty) return 0;
    const { counters, cluster, gates } = this.#parts;
    const types = new Map<CallLink, Set<string>>();
    this.visitTypes(event.topicType, (agentType) => {
      if (isServedHere(agentType)) return;
      const gate = gates.isInUse ? this.gateFor(agentType) : undefined;
      if (gate !== undefined) return hold(gate, agentType);
      const workerId = cluster.workerOf(agentType);
      const worker = workerId === undefined ? undefined : this.#workers.ofWorker(workerId);
      // It is between two hosts.
      if (workerId !== undefined && worker === undefined) return hold(keyOfWorker(workerId), agentType);
      // One that moves may have subscribed at its next host not yet, while the host before still tells its patterns.
      const isThere = worker?.traits.capabilities.has("lease") === true;
      const link = isThere ? worker.link : this.#interest.hostOf(agentType, worker?.link);
      if (link !== undefined) types.set(link, (types.get(link) ?? new Set()).add(agentType));
    });
    let sent = 0;
    for (const [link, names] of types) {
      if (link.sendEvent([{ slot: 0, types: [...names] }], event.bytes, from.account.party, 0) === "queued")
        sent += names.size;
      else counters.droppedEvents += 1;
    }
    counters.sentEvents += sent;
    return sent;
  }

  controlOf(clientId: string): ControlLink | undefined {
    return this.#controlTo(this.#workers.ofClient(clientId));
  }

  workerOpened(channel: Peer): void {
    this.#parts.presence.workerOpened(channel);
    const workerId = channel.worker.id;
    this.#moved.remove(workerId);
    this.#changes.cameHere(workerId);
  }

  workerEnded(channel: Peer): void {
    const { presence, expected } = this.#parts;
    const workerId = channel.worker.id;
    presence.workerEnded(channel);
    if (!presence.hasWorker(workerId)) giveBackExpected(expected, (message) => message.workerId === workerId);
  }

  workerMoving(channel: Peer, patterns: Iterable<Pattern>): void {
    this.#moved.add(channel.worker.id, channel.account.party, patterns);
  }

  moved(): Promise<void> {
    return this.#moved.over();
  }

  /** The place of a type has changed. */
  typeChanged(agentType: string): void {
    this.#changes.typeChanged(agentType);
  }

  claimType(applicant: TypeApplicant): Promise<TypeGrant> | undefined {
    return this.#types.claim(applicant);
  }

  typeOwned(applicant: TypeApplicant): void {
    this.#types.typeOwned(applicant);
    queueMicrotask(() => this.#typeIsHere(applicant.agentType));
  }

  releaseType(agentType: string): void {
    this.#types.typeGone(agentType);
  }

  releaseShared(agentType: string, clientId: string): void {
    this.#types.sharedLeft(agentType, clientId);
  }

  workerDraining(channels: readonly Peer[]): void {
    for (const channel of channels) this.#parts.presence.workerChanged(channel);
  }

  subscribed(): Promise<void> | undefined {
    const barrier = this.#parts.accepted.barrier();
    return barrier && this.#within(barrier);
  }

  async wasRead(): Promise<void> {
    const { clock } = this.#parts;
    let end = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      end = resolve;
    });
    const timer = clock.setTimer(limits.readByOthersMs, end);
    await Promise.race([Promise.all(this.#dialled.openLinks.map((link) => link.wasRead())), late]);
    timer.cancel();
  }

  forward(forwarded: ForwardedCall): Promise<Uint8Array> | undefined {
    const worker = this.#workers.ofClient(forwarded.clientId);
    const link = worker && this.#dialled.to(worker.link.hostId);
    return link && this.#asks.ask(link, forwarded, limits.forwardedMs);
  }

  askAll(forwarded: ForwardedCall, timeoutMs = limits.peerListMs): Promise<readonly (Uint8Array | RpcError)[]> {
    return Promise.all(this.#dialled.openLinks.map((link) => this.#asks.tryAsk(link, forwarded, timeoutMs)));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    for (const timer of this.#freed) timer.cancel();
    this.#moved.close();
    this.#types.close();
    this.#dialled.close();
    this.#parts.accepted.close();
    await this.#parts.onClosed();
  }

  /** Ends all links that this host has dialled, at once: it has another id from now on. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    for (const timer of this.#freed) timer.cancel();
    this.#moved.close();
    this.#types.close();
    this.#dialled.end();
  }

  answered(link: OutgoingLink, frame: Uint8Array): void {
    this.#parts.ways.answered(link, frame);
  }

  answeredBadly(link: OutgoingLink, head: FrameHead, bad: BadFrame): void {
    this.#parts.ways.answeredBadly(link, head, bad);
  }

  chunkCame(link: OutgoingLink, chunk: PeekedChunk): void {
    this.#parts.ways.chunkCame(link, chunk);
  }

  bounced(link: OutgoingLink, bounce: PeerBounce): void {
    this.#parts.counters.bouncedCalls += 1;
    this.#parts.ways.bounced(link, bounce);
  }

  taken(link: OutgoingLink, { what }: PeerTaken): void {
    this.#parts.ways.taken(link, what);
  }

  flushed(link: OutgoingLink, number: number): void {
    this.#parts.flushes.done(link, number);
  }

  workerHere(worker: WorkerElsewhere): void {
    this.#changes.cameThere(worker);
    this.#parts.cluster.workerHere(worker.worker.id);
    this.#parts.ways.workerHere(worker);
  }

  workerChanged(worker: WorkerElsewhere): void {
    this.#parts.ways.workerHere(worker);
  }

  workerAway(worker: WorkerElsewhere): void {
    this.#changes.leftThere(worker);
    this.#parts.ways.workerAway(worker);
  }

  workersLost(link: OutgoingLink, workers: readonly WorkerElsewhere[]): void {
    for (const worker of workers) this.#workers.remove(worker);
    this.#parts.ways.linkLost(link, workers);
    this.#parts.flushes.linkEnded(link);
  }

  workerOf(workerId: string): WorkerElsewhere | undefined {
    return this.#workers.ofWorker(workerId);
  }

  interestChanged(link: OutgoingLink, { pattern, begins }: PeerInterest): boolean {
    const hasChanged = this.#interest.change(link, pattern, begins);
    if (begins) this.#moved.told(pattern);
    return hasChanged;
  }

  unaryAnswered(link: OutgoingLink, answer: PeerUnaryAnswer): void {
    this.#asks.answered(link, answer);
  }

  controlCame(link: OutgoingLink, envelope: Uint8Array): void {
    this.#parts.ways.controlCame(this.#control.on(link), envelope);
  }

  #lost(hostId: string, link: OutgoingLink | undefined, detail: string, wasOpen: boolean): void {
    const { counters, report, ways } = this.#parts;
    if (!this.#isClosed) {
      // A host that stops ends its links in order.
      if (!this.#parts.cluster.isLeaving(hostId)) report({ what: wasOpen ? "lost" : "not-opened", hostId, detail });
      else if (wasOpen) report({ what: "ended", hostId, detail });
    }
    if (link === undefined) return;
    this.#interest.forget(link);
    this.#asks.linkEnded(link);
    const control = this.#control.remove(link);
    if (control !== undefined) ways.controlGone(control);
    if (!wasOpen) return;
    counters.endedLinks += 1;
    counters.lostEvents += link.queue.lostEvents;
    counters.unconfirmedEvents += link.queue.unconfirmedEvents;
  }

  /** A worker here serves the type: messages may wait for it which came before the worker did. */
  #typeIsHere(agentType: string): void {
    const { cluster, gates, expected } = this.#parts;
    const workerId = cluster.workerOf(agentType);
    expected.release(keyOfType(agentType));
    gates.release(keyOfType(agentType));
    if (workerId !== undefined) gates.release(keyOfWorker(workerId));
  }

  /** Asks the cluster for a type that is not known here. Undefined: no host serves a type of this name. */
  #lookUp(agentType: string, party: string | undefined): FoundElsewhere | undefined {
    const isName = isValidAgentType(agentType) && agentType.length <= limits.nameChars;
    if (this.#isClosed || !isName) return undefined;
    if (party !== undefined && !this.#lookUps.begin(agentType, party)) return { at: "busy" };
    return laterByType(agentType);
  }

  #controlTo(worker: WorkerElsewhere | undefined): ControlLink | undefined {
    const link = worker && this.#dialled.to(worker.link.hostId);
    return link && this.#control.on(link);
  }

  async #within(barrier: Promise<boolean>): Promise<void> {
    const { clock, counters } = this.#parts;
    let end = (): void => undefined;
    const late = new Promise<false>((resolve) => {
      end = () => resolve(false);
    });
    const timer = clock.setTimer(limits.barrierMs, end);
    if (!(await Promise.race([barrier, late]))) counters.lateSubscriptions += 1;
    timer.cancel();
  }
}

function laterByType(agentType: string): FoundElsewhere {
  return { at: "later", key: keyOfType(agentType) };
}
