import { expect, test, vi } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { EventRouter } from "../../../../src/host/events/event-router.ts";
import { Observers } from "../../../../src/host/observer.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import { TopicIndex } from "../../../../src/host/registry/subscriptions/topic-index.ts";
import { encodeFrame, peekFrame } from "../../../../src/protocol/internal.ts";
import { openPlacement } from "../../../support/open-placement.ts";
import { KeptChannel } from "../../../support/placement-world.ts";
import { TurnClock } from "../../../support/turn-clock.ts";

/** Two workers that share so many types, which all subscribe to everything. */
function openWorld(count: number) {
  const clock = new TurnClock();
  const counters = createHostCounters();
  const owners = new TypeTable({ onSharedChange: () => parts.placement.changed() });
  const channels = [new KeptChannel("A", "A"), new KeptChannel("B", "B")];
  const peers = { of: (id: string) => channels.find((channel) => channel.id === id) };
  const batches = new BatchRunner(clock);
  const parts: ReturnType<typeof openPlacement> = openPlacement({
    ...{ clock, owners, peers, batches, counters, maxClaims: 100_000 },
  });
  const topics = new TopicIndex();
  const { placement, directory, leaving } = parts;
  const events = new EventRouter({
    ...{
      counters,
      owners,
      topics,
      peers,
      placement,
      directory,
      leaving,
      logger: undefined,
      observers: new Observers(),
    },
  });
  for (const channel of channels) placement.peerOpened(channel);
  for (let at = 0; at < count; at += 1) {
    const agentType = `room-${at}`;
    for (const { id } of channels) owners.claim(agentType, id, { sharing: { placement: undefined, requires: {} } });
    topics.add({ kind: "prefix", topicTypePrefix: "", agentType });
  }
  const publisher = new KeptChannel("P", "P");
  const publish = (topicSource: string): number => {
    const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array() };
    const event = { id: "E", topicType: "news", topicSource, sender: undefined, payload, attributes: {} };
    const peeked = peekFrame(encodeFrame({ kind: "event", event }));
    if (peeked.kind === "event") events.route(publisher, peeked);
    const names = channels.flatMap(({ arrived }) =>
      arrived.splice(0).flatMap(({ frame }) => (frame.kind === "event" ? [frame.event.attributes.agfor ?? ""] : [])),
    );
    return names.flatMap((text) => text.split(",")).length;
  };
  return { ...parts, owners, channels, publish, searches: vi.spyOn(placement, "locate") };
}

test("events under 2,000 shared types reach all their agents, and only the first ones of a key search for them", () => {
  const { publish, searches } = openWorld(2_000);
  expect([publish("a"), publish("a"), publish("b"), publish("b")]).toEqual([2_000, 2_000, 2_000, 2_000]);
  searches.mockClear();
  expect([publish("a"), publish("b"), publish("a")]).toEqual([2_000, 2_000, 2_000]);
  expect(searches).not.toHaveBeenCalled();
});

test("while one of 2,000 agents moves, an event searches for this one alone, and new agents of other keys change nothing", () => {
  const { publish, searches, directory, leaving, owners, channels } = openWorld(2_000);
  for (let count = 0; count < 3; count += 1) publish("a");
  const type = owners.shared("room-7");
  const claim = type && directory.find(type, "a");
  const holder = channels.find(({ worker }) => worker.id === claim?.workerId);
  if (claim === undefined || holder === undefined) throw new Error("nobody holds room-7/a");
  leaving.asked(holder, [claim], "idle");
  expect(publish("a")).toBe(1_999);
  searches.mockClear();
  expect(publish("a")).toBe(1_999);
  expect(searches).toHaveBeenCalledTimes(1);
  publish("b");
  searches.mockClear();
  expect(publish("a")).toBe(1_999);
  expect(searches).toHaveBeenCalledTimes(1);
  leaving.left(holder, [claim]);
  expect(publish("a")).toBeGreaterThanOrEqual(2_000);
});
