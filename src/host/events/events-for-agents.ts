import {
  formatLoneRecipients,
  formatRecipient,
  type PeekedEvent,
  spliceRecipients,
  topicSourceOf,
  withoutRecipients,
} from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { HostCaller } from "../peers/host-caller.ts";
import type { EventOfHost } from "../peers/host-ways.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import type { AgentRoutes } from "../placement/cluster/agent-routes.ts";
import type { AcrossSeat } from "../placement/leaving-agents.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer } from "../sessions/peer.ts";
import { BouncedTypes } from "./bounced-types.ts";
import type { EventTargets } from "./event-targets.ts";
import { MovingEvents } from "./moving-events.ts";
import { lotsOf } from "./rest-targets.ts";

export interface EventsForAgentsParts {
  readonly counters: MutableHostCounters;
  readonly owners: TypeOwners;
  readonly others: OthersSeat;
  readonly across: AcrossSeat<AgentRoutes>;
  readonly moving: MovingEvents;
  readonly targets: EventTargets;
}

// protocol.md §12.8
/** Sends events of other hosts to the agents of shared types that they name. What finds no agent here goes back. */
export class EventsForAgents {
  readonly #parts: EventsForAgentsParts;

  constructor(parts: EventsForAgentsParts) {
    this.#parts = parts;
  }

  route(host: HostCaller, event: PeekedEvent, { number, shared }: Pick<EventOfHost, "number" | "shared">): void {
    const { owners, counters, others, across, moving, targets } = this.#parts;
    const key = topicSourceOf(event);
    const isFirst = number !== 0;
    const isHere = across.now !== undefined && others.now.isServing;
    /** A copy, made once for all agents: the bytes may be a part of what came together with them. */
    let kept: Uint8Array | undefined;
    const named = new Map<Peer, string[]>();
    const back = new BouncedTypes();
    for (const { channel, types } of shared) {
      const origin = channel && { host, channel, isFirst, number };
      for (const name of types) {
        const type = owners.shared(name);
        if (type === undefined || origin === undefined || !isHere) {
          back.add(name, notHere);
          continue;
        }
        if (isFirst) host.setBouncing(name, key, false);
        const located = across.now?.locateFor(type, key, origin) ?? notHere;
        if ("lane" in located) {
          kept ??= MovingEvents.waiting(event);
          moving.holdFor(kept, located, origin);
        } else if (located.at !== "found") {
          back.add(name, located.at === "elsewhere" ? located : { heldBy: undefined, reason: "" });
        } else {
          const { peer, epoch } = located;
          const names = named.get(peer);
          const recipient = epoch === undefined ? name : formatRecipient(name, epoch);
          if (names === undefined) named.set(peer, [recipient]);
          else names.push(recipient);
          if (isFirst) host.taken({ event: number });
        }
      }
    }
    for (const { types, heldBy, reason } of back) {
      kept ??= MovingEvents.waiting(event);
      moving.bounce(kept, types, { host, isFirst, number }, { heldBy, reason });
    }
    const mark = named.size === 0 ? "" : moving.markOf(host);
    for (const [peer, names] of named) {
      const shown = targets.shownTo(peer, withoutRecipients(event));
      if (!peer.traits.capabilities.has("claims")) targets.deliver(shown, peer, shown.bytes);
      else
        for (const lot of lotsOf(names))
          targets.deliver(shown, peer, spliceRecipients(shown, formatLoneRecipients([...lot, mark])));
    }
    targets.clear();
    if (named.size === 0 && shared.every(({ types }) => types.length === 0)) counters.skippedEvents += 1;
  }
}

const notHere = { at: "elsewhere", heldBy: undefined, reason: "The worker has left this host." } as const;
