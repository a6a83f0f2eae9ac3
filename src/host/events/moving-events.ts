import { compareEpochs, type Epoch } from "../../core/internal.ts";
import {
  decodeFrame,
  formatLoneRecipient,
  isForRecipientsAlone,
  type PeekedEvent,
  peekFrame,
  type ReturnedFrame,
  recipientsIn,
  spliceRecipients,
  topicSourceOf,
  type WireMetadata,
  withoutRecipients,
} from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { AgentDirectory } from "../placement/agent-directory.ts";
import type { LeavingAgents } from "../placement/leaving-agents.ts";
import type { Placed } from "../placement/located.ts";
import type { HeldMessage, MovingAgent } from "../placement/moving-agent.ts";
import type { Placement } from "../placement/placement.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TopicIndex } from "../registry/topic-index.ts";
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
}

interface HeldEventParts {
  readonly bytes: Uint8Array;
  readonly type: SharedType;
  readonly account: Peer["account"];
  readonly caller: Peer | undefined;
  readonly payer: Peer | undefined;
  readonly isUnfit: boolean;
}

/** An event that waits for one of its agents. */
class HeldEvent implements HeldMessage {
  readonly bytes: Uint8Array;
  readonly type: SharedType;
  readonly account: Peer["account"];
  readonly caller: Peer | undefined;
  readonly payer: Peer | undefined;
  readonly isUnfit: boolean;
  readonly place: (placed: Placed | undefined) => void;
  queue: HeldMessage["queue"];

  constructor({ bytes, type, account, caller, payer, isUnfit }: HeldEventParts, owner: MovingEvents) {
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
      const held = new HeldEvent({ bytes, type, isUnfit: reason === "unfit", ...paid }, this);
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
  placed({ bytes, type }: HeldEvent, placed: Placed | undefined): void {
    const { counters, send, shownTo } = this.#parts;
    const kept = peekFrame(bytes);
    if (placed?.at !== "found" || kept.kind !== "event") {
      counters.skippedEvents += 1;
      return;
    }
    const { peer, epoch } = placed;
    const event = shownTo(peer, kept);
    if (epoch !== undefined) send(event, peer, spliceRecipients(event, formatLoneRecipient(type.name, epoch)));
    else if (this.#mayHaveIt(event, type, peer)) counters.droppedEvents += 1;
    else send(event, peer, event.bytes);
  }

  /** Whether a worker that delivers events by its own subscriptions may have got this one for another agent. */
  #mayHaveIt({ topicType }: PeekedEvent, { name }: SharedType, { id }: Peer): boolean {
    const { owners, topics } = this.#parts;
    const isOwned = (agentType: string): boolean =>
      owners.shared(agentType)?.isOwner(id) ?? owners.owners(agentType).includes(id);
    return topics.some(topicType, (agentType) => agentType !== name && isOwned(agentType));
  }
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
