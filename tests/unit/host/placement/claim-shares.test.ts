import { expect, it, vi } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { EventRouter } from "../../../../src/host/events/event-router.ts";
import { Observers } from "../../../../src/host/observer.ts";
import { SoloDirectory } from "../../../../src/host/placement/solo-directory.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import { TopicIndex } from "../../../../src/host/registry/subscriptions/topic-index.ts";
import { encodeFrame, peekFrame } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { openPlacement } from "../../../support/open-placement.ts";
import { peerOf } from "../../../support/placed-peer.ts";

/** A publisher, and a worker of another address whose types all subscribe to what it publishes. */
function openWorld(types: number) {
  const clock = new ManualClock();
  const counters = createHostCounters();
  const publisher = peerOf("P", "publisher's address");
  const greedy = peerOf("G", "greedy address");
  const peers = { of: (id: string) => [publisher, greedy].find((peer) => peer.id === id) };
  const owners = new TypeTable();
  const topics = new TopicIndex();
  const directory = new SoloDirectory({ maxClaims: 300, batches: new BatchRunner(clock), generation: () => 1 });
  const { placement, leaving } = openPlacement({ clock, owners, peers, counters, directory });
  for (const peer of [publisher, greedy]) placement.peerOpened(peer);
  const sharing = { placement: undefined, requires: {} };
  for (let at = 0; at < types; at += 1) {
    owners.claim(`greedy_${at}`, "G", { sharing });
    topics.add({ kind: "prefix", topicTypePrefix: "", agentType: `greedy_${at}` });
  }
  owners.claim("own", "P", { sharing });
  const router = new EventRouter({
    ...{ counters, owners, placement, directory, leaving, topics, peers },
    logger: undefined,
    observers: new Observers(),
  });
  const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array() };
  const event = peekFrame(
    encodeFrame({
      kind: "event",
      event: { id: "E", topicType: "t", topicSource: "s", sender: undefined, payload, attributes: {} },
    }),
  );
  if (event.kind !== "event") throw new Error("expected an event");
  return { publisher, greedy, counters, owners, directory, placement, leaving, router, event };
}

it("a worker that lets each event have many agents uses up its own share of the claims, not the publisher's", () => {
  const { publisher, counters, owners, placement, router, event } = openWorld(250);
  router.route(publisher, event);
  expect(counters.refusedClaims).toBeGreaterThan(0);
  const own = owners.shared("own");
  for (let key = 0; own !== undefined && key < 30; key += 1) {
    expect(placement.locate(own, `${key}`, { caller: publisher, payer: publisher })).toMatchObject({ at: "found" });
  }
});

it("a caller of agents with long keys uses up its own share of the bytes of all keys", () => {
  const { publisher, greedy, owners, placement } = openWorld(1);
  const own = owners.shared("own");
  if (own === undefined) throw new Error("The type is shared.");
  const from = (peer: typeof publisher) => ({ caller: peer, payer: peer });
  let taken = 0;
  while (placement.locate(own, `${taken}`.padEnd(1_000, "k"), from(greedy)).at === "found") taken += 1;
  // Two thirds of 64 bytes for each of 300 claims.
  expect(taken).toBe(13);
  expect(placement.locate(own, "short", from(publisher))).toMatchObject({ at: "found" });
});

it("a worker whose many agents never leave pays itself for the events that wait for them, not their publisher", () => {
  const { publisher, greedy, directory, leaving, router, event } = openWorld(60);
  router.route(publisher, event);
  leaving.asked(
    greedy,
    directory.claimsOf("G", 100, () => false),
    "asked",
  );
  const paid = [publisher, greedy].map(({ account }) => vi.spyOn(account, "take"));
  for (let events = 0; events < 10; events += 1) router.route(publisher, event);
  expect(leaving.heldCount).toBe(600);
  expect(paid.map(({ mock }) => mock.calls.length)).toEqual([160, 440]);
});
