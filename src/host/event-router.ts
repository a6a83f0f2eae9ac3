import { isValidTopicType, type Logger } from "../core/index.ts";
import type { PeekedEvent } from "../protocol/index.ts";
import type { Tally } from "./counters.ts";
import type { Directory } from "./directory.ts";
import type { EventRouting } from "./event-routing.ts";
import type { Session } from "./session.ts";
import type { SessionTable } from "./session-table.ts";

export interface EventRouterParts {
  readonly tally: Tally;
  readonly directory: Directory;
  readonly routing: EventRouting;
  readonly sessions: SessionTable;
  readonly logger: Logger | undefined;
}

/** Sends an event's own bytes to every worker that has a matching subscription, once each, the publisher's included (protocol.md §3.2). */
export class EventRouter {
  readonly #parts: EventRouterParts;

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
    const targets = this.#targetsOf(event.topicType);
    if (targets.size === 0) tally.unroutableEvents += 1;
    for (const target of targets) this.#deliver(event, target);
  }

  #targetsOf(topicType: string): ReadonlySet<Session> {
    const { tally, directory, routing, sessions } = this.#parts;
    const targets = new Set<Session>();
    const absent = new Set<string>();
    routing.visit(topicType, (agentType) => {
      for (const clientId of directory.owners(agentType)) {
        const session = sessions.data.of(clientId);
        if (session === undefined) absent.add(clientId);
        else targets.add(session);
      }
    });
    tally.skippedEvents += absent.size;
    return targets;
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
