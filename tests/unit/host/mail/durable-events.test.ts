import { describe, expect, test } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import type { EventRouter } from "../../../../src/host/events/event-router.ts";
import { HeldStore } from "../../../../src/host/held-store.ts";
import { DurableEvents } from "../../../../src/host/mail/durable-events.ts";
import { DurableSubscriptions } from "../../../../src/host/mail/durable-subscriptions.ts";
import { encodeFrame, type PeekedEvent, peekFrame } from "../../../../src/protocol/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { KeptChannel } from "../../../support/placement-world.ts";

const mebi = 1024 * 1024;
const types = Array.from({ length: 300 }, (_, at) => `type${at}`);

function eventOf(bytes: number): PeekedEvent {
  const payload = { typeName: "Note", contentType: "application/json", data: new Uint8Array(bytes) };
  const attributes = { agdelivery: "durable", agidempotency: "1", agrequest: "r1" };
  const event = { id: "1", topicType: "orders", topicSource: "k", sender: undefined, payload, attributes };
  const peeked = peekFrame(encodeFrame({ kind: "event", event }));
  if (peeked.kind !== "event") throw new Error("an event was made");
  return peeked;
}

/** Durable events for 300 types, and a publisher whose account takes so many bytes. */
async function open(accountBytes: number) {
  const counters = createHostCounters();
  const held = new HeldStore({ store: new MemoryStateStore(), takesOver: false, counters, logger: undefined });
  const subscriptions = new DurableSubscriptions(held);
  const by = { principal: undefined, party: "p", servedBy: () => "nobody" as const };
  for (const agentType of types) await subscriptions.add({ kind: "type", topicType: "orders", agentType }, by);
  // Of the router this method alone is used.
  const events = { routeRest: () => 0 } as unknown as EventRouter;
  const durable = new DurableEvents({
    ...{ held, subscriptions, events, counters, logger: undefined },
    isDurableTopic: undefined,
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
  return { durable, publisher, taken: () => taken };
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
