// Over 400 lines: one search finds the workers of exclusive types, the agents of shared types, and those at other hosts.
import { isValidTopicType, type Logger } from "../../core/internal.ts";
import {
  formatLoneRecipients,
  formatRecipient,
  type PeekedEvent,
  type PeerBounce,
  type PeerEventTarget,
  type ReturnedFrame,
  spliceRecipients,
  topicSourceOf,
  withoutDepth,
  withoutRecipients,
} from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { EventOccurrence, Observers } from "../observer.ts";
import type { HostCaller } from "../peers/host-caller.ts";
import type { EventOfHost } from "../peers/host-ways.ts";
import { noOthers, type OthersSeat } from "../peers/other-hosts.ts";
import type { ExpectedMessage, PlaceGates } from "../peers/places/place-gates.ts";
import { type CallLink, WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { AgentDirectory } from "../placement/agent-directory.ts";
import type { AgentRoutes } from "../placement/cluster/agent-routes.ts";
import type { AcrossSeat, LeavingAgents } from "../placement/leaving-agents.ts";
import type { Placement } from "../placement/placement.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TopicIndex } from "../registry/subscriptions/topic-index.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { MessageTraces } from "../sessions/message-traces.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";
import { messageSenderOf, traceIdOf } from "../sessions/traced-origin.ts";
import { EventFans, type FanContent, type SoughtType } from "./event-fans.ts";
import { EventTargets, knowsDepths } from "./event-targets.ts";
import { EventsForAgents } from "./events-for-agents.ts";
import { GatedEvents } from "./gated-events.ts";
import { MovingEvents } from "./moving-events.ts";
import { lotsOf, RestTargets } from "./rest-targets.ts";

export interface EventRouterParts {
  readonly counters: MutableHostCounters;
  readonly owners: TypeOwners;
  readonly placement: Placement;
  readonly directory: AgentDirectory;
  readonly leaving: LeavingAgents;
  readonly topics: TopicIndex;
  readonly peers: PeerTable;
  /** Default: this host is alone. */
  readonly others?: OthersSeat | undefined;
  readonly gates?: PlaceGates | undefined;
  readonly expected?: PlaceGates<ExpectedMessage> | undefined;
  readonly across?: AcrossSeat<AgentRoutes> | undefined;
  readonly logger: Logger | undefined;
  readonly observers: Observers;
  /** Default: events are not traced. */
  readonly traces?: MessageTraces | undefined;
}

/** The search for the agents of one event. */
interface Search {
  readonly from: Peer;
  readonly event: PeekedEvent;
  readonly key: string;
  /** The event as it waits for agents that move; undefined: it waits for none yet. */
  waiting: Uint8Array | undefined;
}

/** `untold`: its worker knows nothing of claims. `unnamed`: its worker is told of as many others as one event may name. */
type FoundAgent = "named" | "untold" | "held" | "unnamed" | "nowhere";

// protocol.md §3.2
/**
 * Sends an event once to every worker that has a matching subscription, the publisher included. They get its own bytes. A worker with
 * agents of shared types also gets their names.
 */
export class EventRouter {
  readonly #parts: EventRouterParts;
  readonly #targets: EventTargets;
  readonly #moving: MovingEvents;
  readonly #forAgents: EventsForAgents;
  readonly #fans: EventFans;
  readonly #gates: PlaceGates | undefined;
  readonly #gated: GatedEvents | undefined;
  /** The gates at which the event must wait, each with its types. */
  readonly #closed = new Map<string, Set<string>>();
  readonly #others: OthersSeat;
  readonly #across: AcrossSeat<AgentRoutes>;
  /** The types of the agents at other hosts that the event is for. */
  readonly #elsewhere = new Map<WorkerElsewhere, string[]>();
  /** Whether other hosts get no copy of an event for an agent type by their subscriptions. */
  readonly #isDecidedHere = (agentType: string): boolean => {
    const { owners } = this.#parts;
    if (this.#across.now !== undefined && owners.shared(agentType) !== undefined) return true;
    const [clientId] = owners.owners(agentType);
    if (clientId === undefined) return false;
    // A worker that has come from another host may not have subscribed here yet.
    const comesByItself = this.#parts.peers.of(clientId)?.traits.capabilities.has("lease") === true;
    if (comesByItself && owners.shared(agentType) === undefined) this.#findOwner(clientId, agentType);
    return true;
  };
  readonly #holdAt = (gate: string, agentType: string): void => {
    this.#isHeld = true;
    this.#closed.set(gate, (this.#closed.get(gate) ?? new Set()).add(agentType));
  };
  /** Whether the event that the router works on waits for an agent that moves. */
  #isHeld = false;
  /** Its bytes, as they wait. */
  #waiting: Uint8Array | undefined;

  constructor(parts: EventRouterParts) {
    this.#parts = parts;
    this.#others = parts.others ?? { now: noOthers };
    this.#across = parts.across ?? { now: undefined };
    this.#targets = new EventTargets(parts);
    const { gates, expected } = parts;
    this.#gates = gates;
    this.#gated =
      gates &&
      expected &&
      new GatedEvents({
        ...{ ...parts, others: this.#others, gates, expected },
        deliver: (event, target) => {
          const shown = knowsDepths(target) ? event : withoutDepth(event);
          this.#targets.deliver(shown, target, shown.bytes);
        },
        routeToTypes: (from, event, types, number) => {
          if (!this.#isIsolated()) this.#routeToTypes(from, event, types, number);
        },
      });
    this.#fans = new EventFans({ ...parts, versions: parts.directory.versions });
    this.#moving = new MovingEvents({
      ...{ ...parts, across: this.#across },
      send: (event, target, frame) => void (this.#isIsolated() || this.#targets.deliver(event, target, frame)),
      shownTo: (target, event) => (knowsDepths(target) ? event : withoutDepth(event)),
    });
    this.#forAgents = new EventsForAgents({
      ...{ ...parts, others: this.#others, across: this.#across, moving: this.#moving, targets: this.#targets },
    });
  }

  /** A worker gives an event back. */
  takeBack(from: Peer, notice: ReturnedFrame, message: PeekedEvent): void {
    this.#moving.takeBack(from, notice, message);
  }

  /** Returns how many workers it was for. */
  route(from: Peer, event: PeekedEvent): number {
    const trace = this.#parts.traces?.event(from, event);
    if (trace === undefined) return this.#route(from, event);
    this.#targets.trace = trace;
    let count = 0;
    try {
      count = this.#route(from, event);
      return count;
    } finally {
      this.#targets.trace = undefined;
      trace.routed(count);
    }
  }

  #route(from: Peer, event: PeekedEvent): number {
    const { counters, logger, observers } = this.#parts;
    counters.events += 1;
    if (this.#isIsolated()) return 0;
    if (!isValidTopicType(event.topicType)) {
      counters.invalidEvents += 1;
      logger?.warn("an event was dropped: its topic type is not valid", { topicType: event.topicType });
      return 0;
    }
    this.#isHeld = false;
    const absent = this.#find(from, event);
    const elsewhere = this.#others.now.areThere ? this.#publish(from, event) : 0;
    if (this.#closed.size > 0) this.#holdAll(from, event);
    const found = this.#targets.peers.length;
    if (found === 0 && elsewhere === 0 && !this.#isHeld) counters.unroutableEvents += 1;
    const deliveredBefore = counters.deliveredEvents;
    this.#deliverAll(event);
    if (!observers.hearOfCalls) return found;
    const delivered = counters.deliveredEvents - deliveredBefore;
    const missed = absent + found - delivered;
    if (observers.now === undefined && missed === 0) return found;
    // Readers of failures alone ask for no trace.
    const traceId = observers.now === undefined ? undefined : traceIdOf(event);
    const sender = traceId === undefined ? undefined : messageSenderOf(event);
    // In one literal: while a page watches, one is made for each event.
    const occurrence: EventOccurrence = { at: "event", topicType: event.topicType, delivered, missed, traceId, sender };
    observers.payloads?.eventRouted(event.bytes, occurrence);
    observers.now?.(occurrence);
    if (missed > 0) observers.failures?.(occurrence);
    return found;
  }

  /** Sends an event to the workers of other hosts that it is for. Returns how many get it. */
  #publish(from: Peer, event: PeekedEvent): number {
    const sent = this.#others.now.publish(from, event, this.#isDecidedHere, this.#holdAt);
    return sent + this.#publishToAgents(from, event);
  }

  // protocol.md §12.3
  /** The event waits for workers that are between two hosts. */
  #holdAll(from: Peer, event: PeekedEvent): void {
    this.#gated?.hold(from, event, this.#closed);
    this.#closed.clear();
  }

  #publishToAgents(from: Peer, event: PeekedEvent): number {
    if (this.#elsewhere.size === 0) return 0;
    const targets = new Map<CallLink, PeerEventTarget[]>();
    for (const [{ link, slot }, types] of this.#elsewhere) {
      const ofLink = targets.get(link);
      if (ofLink === undefined) targets.set(link, [{ slot, types }]);
      else ofLink.push({ slot, types });
    }
    this.#elsewhere.clear();
    return this.#others.now.sendEvent(from, withoutRecipients(event).bytes, targets);
  }

  /** An event that this host had sent to an agent of a shared type comes back from another host. */
  bounced(link: CallLink, bounce: PeerBounce, number: number): void {
    const { owners } = this.#parts;
    const [shared, exclusive] = [true, false].map((isShared) =>
      bounce.types.filter((name) => (owners.shared(name) !== undefined) === isShared),
    );
    const isFirst = this.#moving.isFirst(link, bounce.types, number);
    if (shared?.length || isFirst) this.#moving.bounced(link, { ...bounce, types: shared ?? [] }, number);
    // Of an event for exclusive types the number says how often it has come back.
    if (exclusive?.length) this.#gated?.bounced(link, bounce, exclusive, isFirst ? 0 : number);
  }

  /** The first event on a route was handed over. */
  taken(link: CallLink, number: number): void {
    this.#moving.taken(link, number);
  }

  /** The link to another host has ended, or that of another host to this one. */
  linkLost(link: CallLink): void {
    this.#moving.linkLost(link);
  }

  hostGone(host: HostCaller): void {
    this.#moving.hostGone(host);
  }

  // protocol.md §12, §12.8
  /** Sends an event of another host to the workers here that it names. That host has decided who gets it. */
  routeFrom(from: HostCaller, event: PeekedEvent, { number, exclusive, shared }: EventOfHost): void {
    this.#parts.counters.events += 1;
    if (exclusive.length > 0 && !this.#isIsolated()) this.#routeToTypes(from, event, exclusive, number);
    if (shared.length > 0) this.#forAgents.route(from, event, { number, shared });
  }

  #routeToTypes(from: HostCaller, event: PeekedEvent, types: readonly string[], number: number): void {
    const { counters, owners } = this.#parts;
    this.#targets.begin();
    this.#isHeld = false;
    const shared = new Set<SharedType>();
    const waiting = this.#gated?.takeWaiting(from, event, types, number);
    for (const agentType of types) {
      if (waiting?.has(agentType)) continue;
      const type = owners.hasShared ? owners.shared(agentType) : undefined;
      const [clientId] = owners.owners(agentType);
      if (type !== undefined) shared.add(type);
      else if (clientId === undefined || !this.#findOwner(clientId)) counters.skippedEvents += 1;
    }
    this.#targets.endExclusive();
    const search: Search = { from, event, key: topicSourceOf(event), waiting: undefined };
    for (const type of shared) if (isMissing(this.#findAgent(search, type, true))) counters.skippedEvents += 1;
    this.#deliverAll(event);
  }

  // protocol.md §12.7
  /** Whether the host has lost touch with its cluster. It drops the event then, and counts it. */
  #isIsolated(): boolean {
    if (this.#others.now.isServing) return false;
    this.#parts.counters.isolatedEvents += 1;
    return true;
  }

  /** Sends the event to all peers that were found for it. */
  #deliverAll(event: PeekedEvent): void {
    try {
      if (this.#isHeld && this.#waiting !== undefined) this.#moving.noteSent(this.#waiting, this.#targets.peers);
      const own = this.#parts.owners.hasShared ? withoutRecipients(event) : event;
      for (const target of this.#targets.peers) {
        const shown = this.#targets.shownTo(target, own);
        this.#targets.deliver(shown, target, this.#targets.frameFor(shown, target));
      }
    } finally {
      this.#waiting = undefined;
      this.#targets.clear();
    }
  }

  // protocol.md §11.18
  /**
   * Sends a durable event to the workers of those types for which it is not kept. A worker that also has a type for which it is kept is told by
   * name which of its agents get this copy. Returns how many workers it was for.
   */
  routeRest(from: Peer, event: PeekedEvent, except: ReadonlySet<string>): number {
    if (except.size === 0) return this.route(from, event);
    const { counters, owners, peers } = this.#parts;
    counters.events += 1;
    if (this.#isIsolated()) return 0;
    const rest = new RestTargets(this.#parts, { topicType: event.topicType, except });
    this.#isHeld = false;
    this.#targets.begin();
    try {
      let absent = rest.absent;
      for (const peer of rest.exclusive.keys()) this.#targets.add(peer);
      this.#targets.endExclusive();
      if (rest.shared.size > 0) absent += this.#findShared(from, event, rest.shared, false);
      counters.skippedEvents += absent;
      const own = withoutRecipients(event);
      const keeping = new Set([...except].flatMap((type) => owners.owners(type).map((clientId) => peers.of(clientId))));
      for (const target of this.#targets.peers) {
        const shown = this.#targets.shownTo(target, own);
        if (!keeping.has(target)) this.#targets.deliver(shown, target, this.#targets.frameFor(shown, target));
        else
          for (const names of this.#namesFor(target, rest))
            this.#targets.deliver(shown, target, spliceRecipients(shown, names));
      }
      this.#publishToAgents(from, event);
      return this.#targets.peers.length;
    } finally {
      this.#waiting = undefined;
      this.#targets.clear();
    }
  }

  /** The names of all agents of a worker that get a copy, for as many frames as they need. */
  #namesFor(target: Peer, { exclusive }: RestTargets): readonly string[] {
    return lotsOf([...(exclusive.get(target) ?? []), ...this.#targets.namesOf(target)]).map(formatLoneRecipients);
  }

  /** Finds the peers of all owners, each once: a peer remembers the last event it was found for. Returns how many are absent. */
  #find(from: Peer, event: PeekedEvent): number {
    const { owners, topics } = this.#parts;
    this.#targets.begin();
    const isAcross = this.#across.now !== undefined;
    // In a cluster the subscriptions of other hosts count too, of which fans know nothing.
    const fan = isAcross ? undefined : this.#fans.find(event);
    let absentCount: number;
    if (fan !== undefined) absentCount = this.#findAgain(from, event, fan);
    else {
      let absent: Set<string> | undefined;
      let shared: Set<SharedType> | undefined;
      topics.visit(event.topicType, (agentType) => {
        const type = owners.hasShared ? owners.shared(agentType) : undefined;
        if (type !== undefined) {
          shared ??= new Set();
          shared.add(type);
          return;
        }
        for (const clientId of owners.owners(agentType)) {
          if (this.#findOwner(clientId, agentType)) continue;
          absent ??= new Set();
          absent.add(clientId);
        }
      });
      this.#targets.endExclusive();
      if (isAcross) {
        this.#others.now.visitTypes(event.topicType, (agentType) => {
          const type = owners.shared(agentType);
          if (type === undefined) return;
          shared ??= new Set();
          shared.add(type);
        });
      }
      const absentAgents = shared === undefined ? 0 : this.#findShared(from, event, shared, !isAcross);
      absentCount = (absent?.size ?? 0) + absentAgents;
    }
    this.#parts.counters.skippedEvents += absentCount;
    return absentCount;
  }

  /** Finds the peers again that the last event on the same topic was for. Returns how many are absent. */
  #findAgain(from: Peer, event: PeekedEvent, { clientIds, named, sought, unnamed }: FanContent): number {
    let absent = unnamed;
    for (const clientId of clientIds) if (!this.#findOwner(clientId)) absent += 1;
    this.#targets.endExclusive();
    for (const worker of named) this.#targets.addNamed(worker);
    if (sought.length === 0) return absent;
    const search: Search = { from, event, key: topicSourceOf(event), waiting: undefined };
    for (const { type, isPaid } of sought) if (isMissing(this.#findAgent(search, type, isPaid))) absent += 1;
    return absent;
  }

  /** Finds the peer of an owner of exclusive types. False: it has none. `agentType`: one for which the event may have to wait. */
  #findOwner(clientId: string, agentType?: string): boolean {
    if (agentType !== undefined && this.#gates?.isInUse) {
      const gate = this.#others.now.gateFor(agentType);
      if (gate !== undefined) {
        this.#holdAt(gate, agentType);
        return true;
      }
    }
    const peer = this.#parts.peers.of(clientId);
    if (peer !== undefined) this.#targets.add(peer);
    return peer !== undefined;
  }

  // protocol.md §11.14
  /** Finds the worker of the agent of each shared type. Returns how many have none. */
  #findShared(from: Peer, event: PeekedEvent, types: ReadonlySet<SharedType>, isRemembered = true): number {
    const search: Search = { from, event, key: topicSourceOf(event), waiting: undefined };
    const versions = !isRemembered || types.size < limits.fanTypes ? undefined : this.#fans.versionsOf(search.key);
    const sought: SoughtType[] = [];
    let [count, absent, unnamed] = [0, 0, 0];
    for (const type of types) {
      count += 1;
      // Subscribers choose how many agents an event is for: they could use up the share of the publisher's address.
      const isPaid = count <= limits.claimsOfEvent;
      const found = this.#findAgent(search, type, isPaid);
      if (isMissing(found)) absent += 1;
      if (found === "unnamed") unnamed += 1;
      else if (found !== "named" && versions !== undefined) sought.push({ type, isPaid });
    }
    if (versions !== undefined) {
      const content = {
        clientIds: this.#ownersOf(event.topicType),
        named: this.#targets.namedWorkers(),
        sought,
        unnamed,
      };
      this.#fans.keep(event, from, versions, content);
    }
    return absent;
  }

  /** Finds the worker of one agent. */
  #findAgent(search: Search, type: SharedType, isPaid: boolean): FoundAgent {
    const { from, event, key } = search;
    const located = this.#parts.placement.locate(type, key, { caller: from, payer: isPaid ? from : undefined });
    if (located.at === "moving") {
      search.waiting ??= MovingEvents.waiting(event);
      this.#waiting = search.waiting;
      this.#isHeld = true;
      this.#moving.hold(search.waiting, located.agent, from, isPaid);
      return "held";
    }
    if (located.at !== "found") return "nowhere";
    const { peer, epoch } = located;
    if (peer instanceof WorkerElsewhere) {
      const types = this.#elsewhere.get(peer);
      if (types === undefined) this.#elsewhere.set(peer, [type.name]);
      else types.push(type.name);
      return "named";
    }
    if (epoch !== undefined && !this.#targets.name(peer, formatRecipient(type.name, epoch))) return "unnamed";
    this.#targets.add(peer);
    return epoch === undefined ? "untold" : "named";
  }

  /** The owners of the exclusive types that subscribe to a topic. */
  #ownersOf(topicType: string): readonly string[] {
    const { owners, topics } = this.#parts;
    const clientIds = new Set<string>();
    topics.visit(topicType, (agentType) => {
      if (owners.shared(agentType) !== undefined) return;
      for (const clientId of owners.owners(agentType)) clientIds.add(clientId);
    });
    return [...clientIds];
  }
}

function isMissing(found: FoundAgent): boolean {
  return found === "nowhere" || found === "unnamed";
}
