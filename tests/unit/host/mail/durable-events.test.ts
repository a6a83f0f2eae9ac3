import { describe, expect, test } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import type { EventRouter } from "../../../../src/host/events/event-router.ts";
import { HeldStore } from "../../../../src/host/held-store.ts";
import { DurableEvents } from "../../../../src/host/mail/durable-events.ts";
import { DurableSubscriptions } from "../../../../src/host/mail/durable-subscriptions.ts";
import { encodeFrame, type PeekedEvent, peekFrame } from "../../../../src/protocol/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { KeptChannel } from "../../../support/placement-world.ts";

const mebi = 1024 * 1024;
function eventOf(bytes: number, topicType = "orders", id = "1"): PeekedEvent {
  const payload = { typeName: "Note", contentType: "application/json", data: new Uint8Array(bytes) };
  const attributes = { agdelivery: "durable", agidempotency: id, agrequest: `r${id}` };
  const event = { id, topicType, topicSource: "k", sender: undefined, payload, attributes };
  const peeked = peekFrame(encodeFrame({ kind: "event", event }));
  if (peeked.kind !== "event") throw new Error("an event was made");
  return peeked;
}

/** Durable events for some types, and a publisher whose account takes so many bytes. The first type has a topic of its own, too. */
async function open(accountBytes: number, count = 300) {
  const types = Array.from({ length: count }, (_, at) => `type${at}`);
  const clock = new ManualClock();
  const store = new MemoryStateStore();
  const counters = createHostCounters();
  const held = new HeldStore({ store, takesOver: false, counters, logger: undefined, clock });
  const subscriptions = new DurableSubscriptions(held);
  const by = { principal: undefined, party: "p", servedBy: () => "own principal" as const };
  for (const agentType of types) await subscriptions.add({ kind: "type", topicType: "orders", agentType }, by);
  await subscriptions.add({ kind: "type", topicType: "own", agentType: "type0" }, by);
  // Of the router this method alone is used.
  const events = { routeRest: () => 0 } as unknown as EventRouter;
  const durable = new DurableEvents({
    ...{ held, subscriptions, events, counters, logger: undefined, batches: new BatchRunner(clock) },
    isDurableTopic: undefined,
    isServed: () => true,
    makeId: () => "id",
  });
  const publisher = new KeptChannel("C", "C");
  let taken = 0;
  publisher.account = Object.assign(Object.create(publisher.account), {
    take: (bytes: number) => {
      if (taken + bytes > accountBytes) return false;
      taken += bytes;
      return true;
    },
    release: (bytes: number) => {
      taken -= bytes;
    },
    whyNot: () => "There is no space.",
  });
  return { durable, publisher, taken: () => taken, clock, store };
}

/** Bytes of buffers that come to be, perhaps some less. */
async function bytesMadeBy(task: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  await task();
  return process.memoryUsage().arrayBuffers - before;
}

describe("messages of durable events", () => {
  test("are not made before the account of the publisher has taken their bytes", async () => {
    const { durable, publisher, taken } = await open(10 * mebi);
    const made = await bytesMadeBy(async () => {
      durable.take(publisher, eventOf(mebi));
      await expect.poll(() => publisher.arrived.length, { interval: 1 }).toBe(1);
    });
    expect(publisher.arrived[0]?.frame).toMatchObject({ requestId: "r1", metadata: { agerrorcode: "overloaded" } });
    expect(made).toBeLessThan(50 * mebi);
    expect(taken()).toBe(0);
  });

  test("of a commit are not made beyond its bound, nor before the account has taken their bytes", async () => {
    const { durable, publisher, taken } = await open(10 * mebi);
    const made = await bytesMadeBy(async () => {
      expect(await durable.spreadAll(publisher, [eventOf(mebi)])).toMatchObject({ code: "overloaded" });
      expect(await durable.spreadAll(publisher, [eventOf(mebi / 10)])).toMatchObject({ code: "overloaded" });
    });
    expect(made).toBeLessThan(20 * mebi);
    expect(taken()).toBe(0);
  });

  test("for many agents are made in batches, and later events of their publisher wait for that", async () => {
    const { durable, publisher, clock, store } = await open(64 * mebi, 1_200);
    durable.take(publisher, eventOf(10));
    durable.take(publisher, eventOf(10, "own", "2"));
    const mailOf = () => store.mail({ shards: Array.from({ length: 32 }, (_, at) => at), limit: 10_000 });
    for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
    // The first 500 are made, and the host has its turn.
    expect(await mailOf()).toEqual([]);
    while (publisher.arrived.length < 2) {
      clock.advance(1);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(publisher.arrived.map(({ frame }) => frame)).toMatchObject([{ requestId: "r1" }, { requestId: "r2" }]);
    const kept = await mailOf();
    expect(kept).toHaveLength(1_201);
    expect(kept.filter(({ receiver }) => receiver.type === "type0").map(({ id }) => id)).toEqual(["1", "2"]);
  });

  test("have no more bytes than were counted", async () => {
    const { durable, publisher, taken } = await open(64 * mebi);
    const spread = await durable.spreadAll(publisher, [eventOf(1_000)]);
    if ("code" in spread) throw new Error(spread.text);
    const bytes = spread.events.flatMap(({ mail }) => mail).reduce((sum, { frame }) => sum + frame.length, 0);
    expect(spread.events[0]?.mail).toHaveLength(300);
    expect(bytes).toBeLessThanOrEqual(spread.bytes);
    expect(taken()).toBe(spread.bytes);
  });
});
