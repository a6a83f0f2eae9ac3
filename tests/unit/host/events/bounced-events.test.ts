import { describe, expect, it } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { MovingEvents, type MovingEventsParts } from "../../../../src/host/events/moving-events.ts";
import type { CallLink } from "../../../../src/host/peers/worker-elsewhere.ts";
import type { Bounced } from "../../../../src/host/placement/cluster/agent-routes.ts";
import { encodeFrame } from "../../../../src/protocol/internal.ts";
import { createUncountedAccount } from "../../../../src/transport/internal.ts";
import { textPayload } from "../../../support/raw-worker.ts";

const frame = encodeFrame({
  kind: "event",
  event: {
    ...{ id: "e", topicType: "news", topicSource: "k", sender: undefined, attributes: {}, payload: textPayload("x") },
  },
});
const bounce = (types: readonly string[]) =>
  ({ kind: "bounce", what: { event: 0 }, types, reason: "", heldBy: "W2", frame }) as const;

/** Events whose agents wait at gates that have space for so many. */
function eventsWithSpace(space: number) {
  const counters = createHostCounters();
  const held: Bounced[] = [];
  const shared = new Set(["room", "hall"]);
  // Only these parts are used for what comes back from another host.
  const parts = {
    counters,
    owners: { shared: (name: string) => (shared.has(name) ? { name } : undefined) },
    across: { now: { bounced: (one: Bounced) => held.length < space && held.push(one) > 0 } },
  } as unknown as MovingEventsParts;
  return { events: new MovingEvents(parts), counters, held };
}

// Only the account of the link is used.
const link = { hostId: "h2", account: createUncountedAccount() } as unknown as CallLink;

describe("an event that comes back from another host", () => {
  it("waits for each of its agents at the gate of that agent, which hears who has it", () => {
    const { events, counters, held } = eventsWithSpace(2);
    events.bounced(link, bounce(["room", "hall"]), 0);
    expect(held.map(({ type, key, heldBy }) => [type.name, key, heldBy])).toEqual([
      ["room", "k", "W2"],
      ["hall", "k", "W2"],
    ]);
    expect(counters).toMatchObject({ droppedEvents: 0, unroutableEvents: 0 });
  });

  it("is dropped and counted for each agent at whose gate it finds no space", () => {
    const { events, counters, held } = eventsWithSpace(1);
    events.bounced(link, bounce(["room", "hall"]), 0);
    expect(held.length).toBe(1);
    expect(counters).toMatchObject({ droppedEvents: 1, unroutableEvents: 0 });
  });

  it("is counted for a type that has no worker any more", () => {
    const { events, counters, held } = eventsWithSpace(2);
    events.bounced(link, bounce(["gone"]), 0);
    expect(held).toEqual([]);
    expect(counters).toMatchObject({ droppedEvents: 0, unroutableEvents: 1 });
  });
});
