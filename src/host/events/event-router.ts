import { isValidTopicType, type Logger } from "../../core/internal.ts";
import type { PeekedEvent } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { TopicIndex } from "../registry/topic-index.ts";
import type { Directory } from "../registry/type-owners.ts";
import type { Session } from "../sessions/session.ts";
import type { SessionTable } from "../sessions/session-table.ts";

export interface EventRouterParts {
  readonly tally: MutableHostCounters;
  readonly directory: Directory;
  readonly routing: TopicIndex;
  readonly sessions: SessionTable;
  readonly logger: Logger | undefined;
}

/** Sends an event's own bytes to every worker that has a matching subscription, once each, the publisher's included (protocol.md §3.2). */
export class EventRouter {
  readonly #parts: EventRouterParts;
  /** Who gets the event that is being routed. */
  readonly #targets: Session[] = [];
  #number = 0;

  constructor(parts: EventRouterParts) {
    this.#parts = parts;
  }

  route(event: PeekedEvent): void {
    const { tally, logger } = this.#parts;
    tally.events += 1;
    if (!isValidTopicType(event.topicType)) {
      tally.invalidEvents += 1;
      logger?.warn("an event was dropped: its topic type is not valid", { topicType: event.topicType });
      return;
    }
    this.#find(event.topicType);
    if (this.#targets.length === 0) tally.unroutableEvents += 1;
    try {
      for (const target of this.#targets) this.#deliver(event, target);
    } finally {
      this.#targets.length = 0;
    }
  }

  /** Gathers the sessions of all owners, each once. No set is made for that: a session remembers the last event it was found for. */
  #find(topicType: string): void {
    const { directory, routing, sessions } = this.#parts;
    this.#number += 1;
    let absent: Set<string> | undefined;
    routing.visit(topicType, (agentType) => {
      for (const clientId of directory.owners(agentType)) {
        const session = sessions.data.of(clientId);
        if (session === undefined) {
          absent ??= new Set();
          absent.add(clientId);
        } else if (session.foundFor !== this.#number) {
          session.foundFor = this.#number;
          this.#targets.push(session);
        }
      }
    });
    this.#parts.tally.skippedEvents += absent?.size ?? 0;
  }

  #deliver(event: PeekedEvent, target: Session): void {
    const { tally, logger } = this.#parts;
    if (!event.hasProtoData && !target.traits.takesJsonEvents) {
      tally.filteredEvents += 1;
      return;
    }
    switch (target.send(event.bytes, "event")) {
      case "queued":
        tally.deliveredEvents += 1;
        return;
      case "full":
        tally.droppedEvents += 1;
        return;
      case "closed":
        tally.skippedEvents += 1;
        return;
      case "too-large":
        tally.filteredEvents += 1;
        logger?.warn("an event was kept from a worker: it is larger than the worker can receive", {
          topicType: event.topicType,
          bytes: event.bytes.length,
          clientId: target.clientId,
        });
        return;
    }
  }
}
