import { compareEpochs, type Epoch } from "../../core/internal.ts";
import {
  decodeFrame,
  formatLinkMark,
  formatLoneRecipient,
  isForRecipientsAlone,
  linkIn,
  type PeekedEvent,
  type PeerBounce,
  peekFrame,
  type ReturnedFrame,
  recipientsIn,
  spliceRecipients,
  topicSourceOf,
  type WireMetadata,
  withoutRecipients,
} from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { HostCaller } from "../peers/host-caller.ts";
import { type CallLink, WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { AgentDirectory } from "../placement/agent-directory.ts";
import type { AgentRoutes } from "../placement/cluster/agent-routes.ts";
import type { AcrossSeat, LeavingAgents } from "../placement/leaving-agents.ts";
import type { MessageOrigin, Placed } from "../placement/located.ts";
import type { HeldMessage, MovingAgent } from "../placement/moving-agent.ts";
import type { Placement } from "../placement/placement.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TopicIndex } from "../registry/subscriptions/topic-index.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer } from "../sessions/peer.ts";

export interface MovingEventsParts {
  readonly counters: MutableHostCounters;
  readonly owners: TypeOwners;
  readonly topics: TopicIndex;
  readonly directory: AgentDirectory;
  readonly leaving: LeavingAgents;
  readonly placement: Placement;
  /** Sends the frame of an event to a worker that can take the event, and counts the outcome. */
  readonly send: (event: PeekedEvent, target: Peer, frame: Parameters<Peer["send"]>[0]) => void;
  /** Returns the event as the worker knows it. */
  readonly shownTo: (target: Peer, event: PeekedEvent) => PeekedEvent;
  /** Agents at other hosts; a lone host has none. */
  readonly across: AcrossSeat<AgentRoutes>;
}

interface HeldEventParts {
  readonly bytes: Uint8Array;
  readonly type: SharedType;
  readonly account: Peer["account"];
  readonly caller: Peer | undefined;
  readonly payer: Pick<Peer, "account"> | undefined;
  readonly isUnfit: boolean;
  readonly origin?: MessageOrigin | undefined;
}

/** An event that is the first on a route to another host. */
interface FirstEvent {
  readonly gate: MovingAgent;
  readonly to: WorkerElsewhere;
}

/** An event that waits for one of its agents. */
class HeldEvent implements HeldMessage {
  readonly bytes: Uint8Array;
  readonly type: SharedType;
  readonly account: Peer["account"];
  readonly caller: Peer | undefined;
  readonly payer: Pick<Peer, "account"> | undefined;
  readonly isUnfit: boolean;
  readonly origin: MessageOrigin | undefined;
  readonly opensRoutes = true;
  readonly place: (placed: Placed | undefined) => void;
  queue: HeldMessage["queue"];

  constructor({ bytes, type, account, caller, payer, isUnfit, origin }: HeldEventParts, owner: MovingEvents) {
    this.origin = origin;
    this.bytes = bytes;
    this.type = type;
    this.account = account;
    this.caller = caller;
    this.payer = payer;
    this.isUnfit = isUnfit;
    this.place = (placed) => owner.placed(this, placed);
  }

  get byteLength(): number {
    return this.bytes.length;
  }
}

// protocol.md §11.17
/** Events for agents that move. Each waits for its agent, and then goes to the worker of this agent alone. */
export class MovingEvents {
  readonly #parts: MovingEventsParts;
  /** Events that are the first on routes to other hosts, by their numbers. */
  readonly #first = new Map<number, FirstEvent>();
  #lastNumber = 0;
  /** Other hosts that have sent events for agents of shared types, by the numbers of their links. */
  readonly #hosts = new Map<number, HostCaller>();
  /** By the bytes of an event that waits: the workers that have got it whole, for all their agents. One that was given back is not here. */
  readonly #sentWhole = new WeakMap<Uint8Array, Set<Peer>>();

  constructor(parts: MovingEventsParts) {
    this.#parts = parts;
  }

  /**
   * Returns an event as it waits: a copy, since the bytes of an event may be a part of what came together with it. It has no recipients of
   * its publisher's.
   */
  static waiting(event: PeekedEvent): Uint8Array {
    return new Uint8Array(withoutRecipients(event).bytes);
  }

  /**
   * Holds an event for one of its agents, which moves. `isPaid`: the claim counts with the share of the publisher, and the event with the
   * publisher's account. Else subscribers could make a publisher pay for any number of agents that never leave.
   */
  hold(bytes: Uint8Array, agent: MovingAgent, from: Peer, isPaid: boolean): void {
    const { counters, leaving } = this.#parts;
    const payer = isPaid ? from : undefined;
    const { account } = payer ?? agent;
    const held = new HeldEvent({ bytes, type: agent.type, account, caller: from, payer, isUnfit: false }, this);
    if (!leaving.hold(agent, held)) counters.droppedEvents += 1;
  }

  /** An event that waits for some of its agents goes to these workers for others. */
  noteSent(bytes: Uint8Array, targets: readonly Peer[]): void {
    this.#sentWhole.set(bytes, new Set(targets));
  }

  // protocol.md §12.8
  /** Holds an event of another host for an agent that a worker of this host may get. */
  holdFor(bytes: Uint8Array, agent: MovingAgent, origin: MessageOrigin): void {
    const { counters, leaving } = this.#parts;
    const { host } = origin;
    const paid = { account: host.account, caller: host, payer: host };
    const held = new HeldEvent({ bytes, type: agent.type, isUnfit: false, origin, ...paid }, this);
    if (leaving.hold(agent, held)) return;
    counters.droppedEvents += 1;
    // The host that has sent it waits for this word.
    if (origin.isFirst) host.taken({ event: origin.number });
  }

  /** Gives an event back to the host that has sent it, for the agents of some types. One that finds no space on the way is dropped. */
  bounce(
    bytes: Uint8Array,
    types: readonly string[],
    { host, isFirst, number }: Omit<MessageOrigin, "channel">,
    { heldBy, reason }: { readonly heldBy?: string | undefined; readonly reason: string },
  ): void {
    const { counters } = this.#parts;
    if (!host.isOpen) {
      counters.skippedEvents += types.length;
      return;
    }
    const key = keyOf(bytes);
    if (!isFirst) for (const name of types) host.setBouncing(name, key, true);
    if (host.bounce({ what: { event: number }, types, reason, heldBy, frame: bytes })) return;
    counters.droppedEvents += types.length;
    // The host that has sent it waits for this word.
    if (isFirst) host.taken({ event: number });
  }

  /** Returns the mark by which an event that is given back is known as another host's. */
  markOf(host: HostCaller): string {
    this.#hosts.set(host.number, host);
    return formatLinkMark(host.number);
  }

  /** The link of another host has ended. */
  hostGone(host: HostCaller): void {
    this.#hosts.delete(host.number);
  }

  /** Whether an event on this link was the first on a route to an agent of one of these types. */
  isFirst(link: CallLink, types: readonly string[], number: number): boolean {
    const first = this.#first.get(number);
    return first?.to.link === link && types.includes(first.gate.type.name);
  }

  /** An event comes back from another host. */
  bounced(link: CallLink, { types, frame, heldBy }: PeerBounce, number: number): void {
    const { owners, across, counters } = this.#parts;
    const first = this.#takeFirst(link, number);
    let isBack = false;
    const event = peekFrame(frame);
    const bytes = new Uint8Array(frame);
    const key = keyOf(bytes);
    for (const name of event.kind === "event" ? types : []) {
      const type = owners.shared(name);
      if (type === undefined) {
        counters.unroutableEvents += 1;
        continue;
      }
      const paid = { account: link.account, caller: undefined, payer: link };
      const message = new HeldEvent({ bytes, type, isUnfit: false, ...paid }, this);
      const gate = first?.gate.type === type ? first.gate : undefined;
      isBack ||= gate !== undefined;
      if (across.now?.bounced({ type, key, message, link, from: first?.to, heldBy, gate }) !== true)
        counters.droppedEvents += 1;
    }
    if (first !== undefined && !isBack) across.now?.over(first.gate);
  }

  /** The first event on a route was handed over. */
  taken(link: CallLink, number: number): void {
    const first = this.#takeFirst(link, number);
    if (first !== undefined) this.#parts.across.now?.taken(first.gate, first.to);
  }

  /** Nothing more is heard of the events on a link. */
  linkLost(link: CallLink): void {
    for (const [number, { gate, to }] of this.#first) {
      if (to.link !== link) continue;
      this.#first.delete(number);
      this.#parts.across.now?.over(gate);
    }
  }

  #takeFirst(link: CallLink, number: number): FirstEvent | undefined {
    const first = this.#first.get(number);
    if (first?.to.link !== link) return undefined;
    this.#first.delete(number);
    return first;
  }

  /** A worker gives an event back, for the agents that have not got it. */
  takeBack(from: Peer, { agents, reason }: ReturnedFrame, message: PeekedEvent): void {
    const { owners, counters, leaving, directory } = this.#parts;
    const attributes = attributesOf(message);
    const key = topicSourceOf(message);
    const named = recipientsIn(attributes);
    // What came again because of its agent's move gets no second try: it has had one.
    const isSpent = reason !== "leaving" && isForRecipientsAlone(attributes);
    const bytes = new Uint8Array(withoutRecipients(message).bytes);
    const seen = new Set<string>();
    for (const agent of agents) {
      const type = owners.shared(agent.type);
      const told = named.get(agent.type);
      const isOwn =
        type !== undefined &&
        told !== undefined &&
        agent.key === key &&
        compareEpochs(told, agent.epoch) === 0 &&
        !seen.has(agent.type) &&
        (directory.holds(type, key, from.worker.id, told) ||
          (reason === "leaving" && this.#hasHeld(from, type, key, told)));
      if (!isOwn) {
        counters.unmatchedReturns += 1;
        continue;
      }
      seen.add(agent.type);
      const paid = { caller: undefined, payer: undefined, account: from.account };
      const host = this.#hostIn(attributes);
      const origin = host && { host, channel: from, isFirst: false, number: 0 };
      const held = new HeldEvent({ bytes, type, isUnfit: reason === "unfit", origin, ...paid }, this);
      if (isSpent || !leaving.takeBack(from, agent, held)) counters.droppedEvents += 1;
    }
  }

  // protocol.md §11.17 L6
  /**
   * Whether the worker may have held the agent under this epoch, and has let it go. The event then was on its way on a channel that the
   * worker has left.
   */
  #hasHeld(from: Peer, type: SharedType, key: string, epoch: Epoch): boolean {
    const { directory, placement } = this.#parts;
    const newest = directory.newestEpoch(type);
    const isOfNow = epoch.generation === newest.generation && epoch.era === newest.era;
    if (!isOfNow || compareEpochs(epoch, newest) > 0) return false;
    const present = directory.find(type, key);
    if (present !== undefined && compareEpochs(epoch, present.epoch) >= 0) return false;
    return placement.channelsOf(from).some(({ id }) => type.isOwner(id));
  }

  /** The agent of an event that waited has a place, or gets none. */
  placed({ bytes, type, origin, account }: HeldEvent, placed: Placed | undefined): void {
    const { counters, send, shownTo } = this.#parts;
    const kept = peekFrame(bytes);
    if (placed?.at === "elsewhere" && origin !== undefined) return this.bounce(bytes, [type.name], origin, placed);
    if (origin?.isFirst) origin.host.taken({ event: origin.number });
    if (placed?.at !== "found" || kept.kind !== "event") {
      counters.skippedEvents += 1;
      return;
    }
    const { peer, epoch, gate } = placed;
    if (peer instanceof WorkerElsewhere) return this.#sendTo(peer, bytes, { type, party: account.party, gate });
    const event = shownTo(peer, kept);
    const mark = origin === undefined ? "" : `,${this.markOf(origin.host)}`;
    if (epoch !== undefined) send(event, peer, spliceRecipients(event, formatLoneRecipient(type.name, epoch) + mark));
    else this.#sendWhole(event, { bytes, type, peer });
  }

  /** Sends an event once to a worker that gives it to its agents by its own subscriptions. */
  #sendWhole(
    event: PeekedEvent,
    { bytes, type, peer }: { readonly bytes: Uint8Array; readonly type: SharedType; readonly peer: Peer },
  ): void {
    const { counters, send } = this.#parts;
    const sent = this.#sentWhole.get(bytes);
    if (sent?.has(peer)) return;
    sent?.add(peer);
    if (sent === undefined && this.#mayHaveIt(event, type, peer)) counters.droppedEvents += 1;
    else send(event, peer, event.bytes);
  }

  /** Sends an event to an agent at another host. */
  #sendTo(
    peer: WorkerElsewhere,
    bytes: Uint8Array,
    {
      type,
      party,
      gate,
    }: { readonly type: SharedType; readonly party: string; readonly gate: MovingAgent | undefined },
  ): void {
    const { across, counters } = this.#parts;
    const number = gate === undefined ? 0 : this.#nextNumber();
    if (gate !== undefined) this.#first.set(number, { gate, to: peer });
    const outcome = peer.link.sendEvent([{ slot: peer.slot, types: [type.name] }], bytes, party, number);
    if (outcome === "queued") return;
    counters.droppedEvents += 1;
    if (gate === undefined) return;
    this.#first.delete(number);
    across.now?.over(gate);
  }

  #nextNumber(): number {
    do this.#lastNumber = this.#lastNumber === mostNumber ? 1 : this.#lastNumber + 1;
    while (this.#first.has(this.#lastNumber));
    return this.#lastNumber;
  }

  /** The host whose mark an event has. */
  #hostIn(attributes: WireMetadata): HostCaller | undefined {
    if (this.#hosts.size === 0) return undefined;
    const number = linkIn(attributes);
    return number === undefined ? undefined : this.#hosts.get(number);
  }

  /** Whether a worker that delivers events by its own subscriptions may have got this one for another agent. */
  #mayHaveIt({ topicType }: PeekedEvent, { name }: SharedType, { id }: Peer): boolean {
    const { owners, topics } = this.#parts;
    const isOwned = (agentType: string): boolean =>
      owners.shared(agentType)?.isOwner(id) ?? owners.owners(agentType).includes(id);
    return topics.some(topicType, (agentType) => agentType !== name && isOwned(agentType));
  }
}

/** The wire has 31 bits for it. */
const mostNumber = 2 ** 31 - 1;

/** The key of the agents that an event is for. */
function keyOf(bytes: Uint8Array): string {
  const event = peekFrame(bytes);
  return event.kind === "event" ? topicSourceOf(event) : "";
}

function attributesOf({ bytes }: PeekedEvent): WireMetadata {
  try {
    const frame = decodeFrame(bytes);
    return frame.kind === "event" ? frame.event.attributes : {};
  } catch {
    // No worker could read such an event: it names no agents.
    return {};
  }
}
