import { isValidTopicType, type Logger } from "../../core/internal.ts";
import type { PeekedEvent } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { HostObserver } from "../observer.ts";
import type { TopicIndex } from "../registry/topic-index.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";
import { DotnetEvents } from "./dotnet-events.ts";

export interface EventRouterParts {
  readonly counters: MutableHostCounters;
  readonly owners: TypeOwners;
  readonly topics: TopicIndex;
  readonly peers: PeerTable;
  readonly logger: Logger | undefined;
  readonly observer: HostObserver | undefined;
}

// protocol.md §3.2
/** Sends an event's own bytes once to every worker that has a matching subscription, the publisher included. */
export class EventRouter {
  readonly #parts: EventRouterParts;
  /** The peers that get the event that the router works on. */
  readonly #targets: Peer[] = [];
  readonly #dotnetEvents = new DotnetEvents();
  #number = 0;

  constructor(parts: EventRouterParts) {
    this.#parts = parts;
  }

  route(event: PeekedEvent): void {
    const { counters, logger, observer } = this.#parts;
    counters.events += 1;
    if (!isValidTopicType(event.topicType)) {
      counters.invalidEvents += 1;
      logger?.warn("an event was dropped: its topic type is not valid", { topicType: event.topicType });
      return;
    }
    const absent = this.#find(event.topicType);
    const found = this.#targets.length;
    if (found === 0) counters.unroutableEvents += 1;
    const deliveredBefore = counters.deliveredEvents;
    try {
      for (const target of this.#targets) this.#deliver(event, target);
    } finally {
      this.#targets.length = 0;
    }
    if (observer === undefined) return;
    const delivered = counters.deliveredEvents - deliveredBefore;
    observer({ at: "event", topicType: event.topicType, delivered, missed: absent + found - delivered });
  }

  /** Finds the peers of all owners, each once: a peer remembers the last event it was found for. Returns how many are absent. */
  #find(topicType: string): number {
    const { owners, topics, peers } = this.#parts;
    this.#number += 1;
    let absent: Set<string> | undefined;
    topics.visit(topicType, (agentType) => {
      for (const clientId of owners.owners(agentType)) {
        const peer = peers.of(clientId);
        if (peer === undefined) {
          absent ??= new Set();
          absent.add(clientId);
        } else if (peer.lastEvent !== this.#number) {
          peer.lastEvent = this.#number;
          this.#targets.push(peer);
        }
      }
    });
    const absentCount = absent?.size ?? 0;
    this.#parts.counters.skippedEvents += absentCount;
    return absentCount;
  }

  #deliver(event: PeekedEvent, target: Peer): void {
    const { counters, logger } = this.#parts;
    if (!target.traits.takesJsonEvents && !this.#dotnetEvents.canRead(event)) {
      counters.filteredEvents += 1;
      return;
    }
    switch (target.send(event.bytes, "event")) {
      case "queued":
        counters.deliveredEvents += 1;
        return;
      case "full":
        counters.droppedEvents += 1;
        return;
      case "closed":
        counters.skippedEvents += 1;
        return;
      case "too-large":
        counters.filteredEvents += 1;
        logger?.warn("an event was kept from a worker: it is larger than the worker can receive", {
          topicType: event.topicType,
          bytes: event.bytes.length,
          clientId: target.id,
        });
        return;
    }
  }
}
