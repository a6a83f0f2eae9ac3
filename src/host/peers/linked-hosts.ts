import { type Clock, isValidAgentType, type Timer } from "../../core/internal.ts";
import {
  type FrameHead,
  method,
  type PeekedEvent,
  type PeerBounce,
  type PeerEventTarget,
  type PeerInterest,
  type PeerTaken,
  type PeerUnaryAnswer,
} from "../../protocol/internal.ts";
import type { Dialer, MemoryAccount, Metadata, RpcError } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { Peer } from "../sessions/peer.ts";
import type { AcceptedLinks } from "./accepted-links.ts";
import type { ClusterHost, ClusterHostsListener, ClusterView, TypeApplicant, TypeGrant } from "./cluster-view.ts";
import { HostDialling } from "./host-dialling.ts";
import type { BadFrame, ControlLink, HostWays, LinkCounters, LinkOccurrence } from "./host-ways.ts";
import { InterestElsewhere } from "./interest-elsewhere.ts";
import { LookUps } from "./look-ups.ts";
import { type ForwardedCall, type FoundElsewhere, keyOfType, keyOfWorker, type OtherHosts } from "./other-hosts.ts";
import type { AskingHost, LinkSettings, OutgoingLink } from "./outgoing-link.ts";
import type { TellingBounds } from "./told-bounds.ts";
import type { ToldPresence } from "./told-presence.ts";
import { TypeClaims } from "./type-claims.ts";
import { UnaryAsks } from "./unary-asks.ts";
import type { CallLink, WorkerElsewhere } from "./worker-elsewhere.ts";
import { WorkersElsewhere } from "./workers-elsewhere.ts";

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
  readonly #diallings = new Map<string, HostDialling>();
  readonly #types: TypeClaims;
  readonly #workers = new WorkersElsewhere();
  readonly #interest = new InterestElsewhere<CallLink>();
  readonly #asks: UnaryAsks;
  readonly #control = new Map<OutgoingLink, ControlLink>();
  /** Types whose place the cluster is asked for; calls for them wait. */
  readonly #lookUps: LookUps;
  readonly #unwatch: () => void;
  readonly #onLinked = new Set<() => void>();
  #isClosed = false;

  constructor(parts: LinkedHostsParts) {
    this.#parts = parts;
    const { cluster, ways, clock } = parts;
    this.#asks = new UnaryAsks(clock);
    this.#types = new TypeClaims({
      cluster,
      isServed: ways.isServed,
      onRefused: (applicant) => ways.typeLost(applicant),
    });
    this.#lookUps = new LookUps({
      cluster,
      onKnown: (agentType, isServed) => ways.placeKnown(keyOfType(agentType), isServed || cluster.isShared(agentType)),
    });
    this.#unwatch = cluster.watchHosts(this);
  }

  get isServing(): boolean {
    return this.#parts.cluster.isServing;
  }

  /** The ids of the hosts to which this one has an open link. */
  get hostIds(): readonly string[] {
    return [...this.#diallings.values()].filter(({ openLink }) => openLink !== undefined).map(({ hostId }) => hostId);
  }

  /** Resolves when this host has an open link to each of these hosts, or when the time is up that `startTimer` begins. */
  async linkedTo(hostIds: readonly string[], startTimer: (onLate: () => void) => Timer): Promise<void> {
    const isThere = (): boolean => hostIds.every((hostId) => this.#diallings.get(hostId)?.openLink !== undefined);
    if (isThere()) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        timer.cancel();
        this.#onLinked.delete(look);
        resolve();
      };
      const look = (): void => {
        if (isThere()) settle();
      };
      const timer = startTimer(settle);
      this.#onLinked.add(look);
    });
  }

  hostUp(host: ClusterHost): void {
    if (this.#isClosed || host.hostId === this.#parts.cluster.hostId) return;
    this.hostDown(host.hostId);
    this.#diallings.set(
      host.hostId,
      new HostDialling(host, {
        ...this.#parts,
        host: this,
        onOpened: (link) => this.#opened(link),
        onWrongName: (reason) => this.#passBy(host.hostId, reason),
        onLost: (link, reason, wasOpen) => this.#lost(host.hostId, link, reason, wasOpen),
      }),
    );
  }

  hostDown(hostId: string): void {
    const dialling = this.#diallings.get(hostId);
    this.#diallings.delete(hostId);
    dialling?.stop();
  }

  workerGone(workerId: string): void {
    // The calls that wait for it are routed anew: another worker may serve its types by now.
    this.#parts.ways.placeKnown(keyOfWorker(workerId), true);
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

  visitTypes(topicType: string, visit: (agentType: string) => void): void {
    if (!this.#interest.isEmpty) this.#interest.visit(topicType, visit);
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

  publish(from: Peer, event: PeekedEvent, isServedHere: (agentType: string) => boolean): number {
    if (this.#interest.isEmpty) return 0;
    const { counters, cluster } = this.#parts;
    const types = new Map<CallLink, Set<string>>();
    this.#interest.visit(event.topicType, (agentType) => {
      if (isServedHere(agentType)) return;
      const workerId = cluster.workerOf(agentType);
      const preferred = workerId === undefined ? undefined : this.#workers.ofWorker(workerId)?.link;
      const link = this.#interest.hostOf(agentType, preferred);
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

  controlOfType(agentType: string): ControlLink | undefined {
    const workerId = this.#parts.cluster.workerOf(agentType);
    return workerId === undefined ? undefined : this.#controlTo(this.#workers.ofWorker(workerId));
  }

  workerOpened(channel: Peer): void {
    this.#parts.presence.workerOpened(channel);
  }

  workerEnded(channel: Peer): void {
    this.#parts.presence.workerEnded(channel);
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

  forward(forwarded: ForwardedCall): Promise<Uint8Array> | undefined {
    const worker = this.#workers.ofClient(forwarded.clientId);
    const link = worker && this.#diallings.get(worker.link.hostId)?.openLink;
    return link && this.#asks.ask(link, forwarded, limits.peerUnaryMs);
  }

  askAll(forwarded: ForwardedCall, timeoutMs = limits.peerListMs): Promise<readonly (Uint8Array | RpcError)[]> {
    const links = [...this.#diallings.values()].flatMap(({ openLink }) => openLink ?? []);
    return Promise.all(links.map((link) => this.#asks.tryAsk(link, forwarded, timeoutMs)));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    for (const dialling of this.#diallings.values()) dialling.close();
    this.#parts.accepted.close();
    await this.#parts.onClosed();
  }

  /** Ends all links that this host has dialled, at once: it has another id from now on. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    for (const dialling of this.#diallings.values()) dialling.stop();
    this.#diallings.clear();
  }

  answered(link: OutgoingLink, frame: Uint8Array): void {
    this.#parts.ways.answered(link, frame);
  }

  answeredBadly(link: OutgoingLink, head: FrameHead, bad: BadFrame): void {
    this.#parts.ways.answeredBadly(link, head, bad);
  }

  bounced(link: OutgoingLink, bounce: PeerBounce): void {
    this.#parts.counters.bouncedCalls += 1;
    this.#parts.ways.bounced(link, bounce);
  }

  taken(link: OutgoingLink, { what }: PeerTaken): void {
    this.#parts.ways.taken(link, what);
  }

  flushed(link: OutgoingLink, number: number): void {
    this.#parts.ways.flushed(link, number);
  }

  workerHere(worker: WorkerElsewhere): void {
    this.#workers.add(worker);
    const { ways } = this.#parts;
    ways.placeKnown(keyOfWorker(worker.worker.id), true);
    ways.workerHere(worker);
  }

  workerChanged(worker: WorkerElsewhere): void {
    this.#parts.ways.workerHere(worker);
  }

  workerAway(worker: WorkerElsewhere): void {
    this.#workers.remove(worker);
    this.#parts.ways.workerAway(worker);
  }

  workersLost(link: OutgoingLink, workers: readonly WorkerElsewhere[]): void {
    for (const worker of workers) this.#workers.remove(worker);
    this.#parts.ways.linkLost(link, workers);
  }

  workerOf(workerId: string): WorkerElsewhere | undefined {
    return this.#workers.ofWorker(workerId);
  }

  interestChanged(link: OutgoingLink, { pattern, begins }: PeerInterest): boolean {
    return this.#interest.change(link, pattern, begins);
  }

  unaryAnswered(link: OutgoingLink, answer: PeerUnaryAnswer): void {
    this.#asks.answered(link, answer);
  }

  controlCame(link: OutgoingLink, envelope: Uint8Array): void {
    this.#parts.ways.controlCame(this.#controlOn(link), envelope);
  }

  #opened(link: OutgoingLink): void {
    this.#parts.counters.openedLinks += 1;
    this.#parts.report({ what: "opened", hostId: link.hostId, detail: "" });
    // The link counts as open when this callback has returned.
    queueMicrotask(() => {
      for (const look of [...this.#onLinked]) look();
    });
  }

  #passBy(hostId: string, detail: string): void {
    this.#parts.counters.refusedNames += 1;
    this.#parts.report({ what: "passed-by", hostId, detail });
  }

  #lost(hostId: string, link: OutgoingLink | undefined, detail: string, wasOpen: boolean): void {
    const { counters, report, ways } = this.#parts;
    if (!this.#isClosed) report({ what: wasOpen ? "lost" : "not-opened", hostId, detail });
    if (link === undefined) return;
    this.#interest.forget(link);
    this.#asks.linkEnded(link);
    const control = this.#control.get(link);
    this.#control.delete(link);
    if (control !== undefined) ways.controlGone(control);
    if (!wasOpen) return;
    counters.endedLinks += 1;
    counters.lostEvents += link.queue.lostEvents;
    counters.unconfirmedEvents += link.queue.unconfirmedEvents;
  }

  /** A worker here serves the type: calls may wait for it which came before the worker did. */
  #typeIsHere(agentType: string): void {
    const { cluster, ways } = this.#parts;
    const workerId = cluster.workerOf(agentType);
    ways.placeKnown(keyOfType(agentType), true);
    if (workerId !== undefined) ways.placeKnown(keyOfWorker(workerId), true);
  }

  /** Asks the cluster for a type that is not known here. Undefined: no host serves a type of this name. */
  #lookUp(agentType: string, party: string | undefined): FoundElsewhere | undefined {
    const isName = isValidAgentType(agentType) && agentType.length <= limits.nameChars;
    if (this.#isClosed || !isName) return undefined;
    if (party !== undefined && !this.#lookUps.begin(agentType, party)) return { at: "busy" };
    return laterByType(agentType);
  }

  #controlTo(worker: WorkerElsewhere | undefined): ControlLink | undefined {
    const link = worker && this.#diallings.get(worker.link.hostId)?.openLink;
    return link && this.#controlOn(link);
  }

  #controlOn(link: OutgoingLink): ControlLink {
    const known = this.#control.get(link);
    if (known !== undefined) return known;
    const control: ControlLink = {
      id: `host → ${link.hostId}`,
      account: link.account,
      owner: { principal: undefined },
      isElsewhere: true,
      ask: (request, { id: clientId, account, owner: { principal } }) => {
        const call = { metadata: {}, signal: neverAborted, account };
        const asked = { method: method.openControlChannel, clientId, principal, request, call };
        return this.#asks.tryAsk(link, asked, limits.controlAskMs);
      },
      send: (envelope, from) => link.sendControl(envelope, from?.account.party ?? "") === "queued",
    };
    this.#control.set(link, control);
    return control;
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

const neverAborted = new AbortController().signal;

function laterByType(agentType: string): FoundElsewhere {
  return { at: "later", key: keyOfType(agentType) };
}
