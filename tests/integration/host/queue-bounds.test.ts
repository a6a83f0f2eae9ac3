import { describe, expect, it } from "vitest";
import { metadataKey } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const overGrpc = hostTransports[1] as (typeof hostTransports)[number];
const KIB = 1024;
/** More than any window and kernel buffer between the host and a worker that does not read. */
const FULL = 64;
const large = { typeName: "T", contentType: "application/json", data: new Uint8Array(512 * KIB) };
const bounds = { maxQueuedFrames: 1_000, maxQueuedBytes: 4 * KIB * KIB };

function publishLarge(publisher: RawWorker, id: string): void {
  publisher.send({
    kind: "event",
    event: { id, topicType: "t", topicSource: "s", sender: undefined, payload: large, attributes: {} },
  });
}

/** A worker that serves `type` and gets the topic "t", and then reads no more. */
async function stalledWorker(rig: HostRig, clientId: string, type: string): Promise<RawWorker> {
  const worker = await new RawWorker(rig.dial(), clientId).join();
  await worker.register(type);
  await worker.subscribe(`of-${clientId}`, exact("t", type));
  worker.stream.pause();
  return worker;
}

/** Publishes until the host has dropped events, or has cut somebody off. */
async function overflow(rig: HostRig, publisher: RawWorker): Promise<number> {
  let published = 0;
  for (; published < FULL; published += 1) {
    publishLarge(publisher, `E${published}`);
    await publisher.settled();
  }
  expect(rig.host.counters().droppedEvents).toBeGreaterThan(0);
  return published;
}

describe.each(hostTransports)("the bound on what waits for a worker over $name", ({ start }) => {
  it("drops and counts the events that a worker is too slow for; others get them all [§8.62]", async () => {
    await using rig = await start(bounds);
    const slow = await stalledWorker(rig, "slow", "a");
    const quick = await new RawWorker(rig.dial(), "quick").join();
    await quick.register("b");
    await quick.subscribe("of-quick", exact("t", "b"));
    const publisher = await new RawWorker(rig.dial(), "P").join();
    const published = await overflow(rig, publisher);
    for (let index = 0; index < published; index += 1) expect((await quick.nextEvent()).id).toBe(`E${index}`);
    const { droppedEvents, deliveredEvents, queuedBytes } = rig.host.counters();
    expect(queuedBytes).toBeLessThanOrEqual(bounds.maxQueuedBytes);
    expect(deliveredEvents + droppedEvents).toBe(2 * published);
    expect(rig.host.sessions().map((session) => [session.clientId, session.droppedEvents])).toEqual([
      ["slow", droppedEvents],
      ["quick", 0],
      ["P", 0],
    ]);
    slow.stream.resume();
    for (let index = 0; index < published - droppedEvents; index += 1) await slow.nextEvent();
    expect(await slow.settled()).toEqual([]);
    publisher.publish("t", "s", "after");
    expect((await slow.nextEvent()).id).toBe("after");
  });

  it("answers a call to a worker that is too slow with `overloaded` at once; others are called as ever", async () => {
    await using rig = await start(bounds);
    await stalledWorker(rig, "slow", "a");
    const caller = await new RawWorker(rig.dial(), "C").join();
    await caller.register("b");
    await overflow(rig, caller);
    caller.request("1", "a/k", { payload: large });
    const answer = await caller.nextResponse();
    expect(answer).toMatchObject({ requestId: "1", error: expect.stringContaining("agent type a") });
    expect(answer.metadata[metadataKey.errorCode]).toBe("overloaded");
    expect(rig.host.counters()).toMatchObject({ overloadedCalls: 1, pendingCalls: 0 });
    expect(rig.host.sessions()[0]).toMatchObject({ clientId: "slow", refusedCalls: 1 });
    caller.request("2", "b/k");
    caller.respond((await caller.nextRequest()).requestId, "fine");
    expect((await caller.nextResponse()).requestId).toBe("2");
  });

  it("lets answers wait in twice the room, then ends the channel of whoever does not take them", async () => {
    await using rig = await start(bounds);
    const asker = await stalledWorker(rig, "asker", "a");
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("b");
    for (let index = 0; index < FULL; index += 1) asker.request(`${index}`, "b/k");
    let answered = 0;
    while (rig.host.counters().overflowedChannels === 0 && answered < FULL) {
      const { requestId } = await target.nextRequest();
      target.send({ kind: "response", requestId, payload: large, error: "", metadata: {} });
      await settledBesides(target);
      answered += 1;
      expect(rig.host.counters().queuedBytes).toBeLessThanOrEqual(2 * bounds.maxQueuedBytes);
    }
    expect(await asker.ended).toMatchObject({ by: "status", status: { code: StatusCode.resourceExhausted } });
    await target.takeOver("a");
    expect(rig.host.counters()).toMatchObject({ overflowedChannels: 1, pendingCalls: 0, queuedBytes: 0 });
  });

  it("tells a worker whose queue is full that a call was given up; a cancel beyond twice the room is counted", async () => {
    await using rig = await start({ maxQueuedFrames: 1, maxQueuedBytes: 2 * KIB * KIB });
    const slow = await new RawWorker(rig.dial(), "slow", { isAnnounced: true }).join();
    await slow.register("a");
    await slow.subscribe("of-slow", exact("t", "a"));
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    const ids = ["1", "2", "3"];
    for (const id of ids) {
      caller.request(id, "a/k");
      await slow.nextRequest();
    }
    slow.stream.pause();
    await overflow(rig, caller);
    for (const requestId of ids) caller.send({ kind: "cancel", requestId, reason: "cancelled" });
    await caller.settled();
    expect(rig.host.counters()).toMatchObject({ abandonedCalls: 3, lostNotices: 2, overflowedChannels: 0 });
    slow.stream.resume();
    for (let events = rig.host.counters().deliveredEvents; events > 0; events -= 1) await slow.nextEvent();
    expect(await slow.nextCancel()).toMatchObject({ reason: "cancelled" });
  });

  it("ends the channel of a worker that is too slow for an event when told to", async () => {
    await using rig = await start({ ...bounds, whenFull: "disconnect" });
    const slow = await stalledWorker(rig, "slow", "a");
    const publisher = await new RawWorker(rig.dial(), "P").join();
    await overflow(rig, publisher);
    expect(await slow.ended).toMatchObject({ by: "status", status: { code: StatusCode.resourceExhausted } });
    await publisher.takeOver("a");
    expect(rig.host.counters()).toMatchObject({ droppedEvents: 1, overflowedChannels: 1, queuedBytes: 0 });
  });

  it("counts frames as well as bytes", async () => {
    await using rig = await start({ maxQueuedFrames: 3 });
    await stalledWorker(rig, "slow", "a");
    const publisher = await new RawWorker(rig.dial(), "P").join();
    await overflow(rig, publisher);
    expect(rig.host.counters().queuedFrames).toBe(3);
  });

  it("holds up no other worker on the same connection", async () => {
    await using rig = await start(bounds);
    const link = rig.dial();
    const slow = await new RawWorker(link, "slow").join();
    const quick = await new RawWorker(link, "quick").join();
    for (const worker of [slow, quick]) {
      await worker.register(`of-${worker.clientId}`);
      await worker.subscribe(`S-${worker.clientId}`, exact("t", `of-${worker.clientId}`));
    }
    slow.stream.pause();
    const publisher = await new RawWorker(rig.dial(), "P").join();
    const published = await overflow(rig, publisher);
    for (let index = 0; index < published; index += 1) expect((await quick.nextEvent()).id).toBe(`E${index}`);
  });

  it("says once that a worker falls behind, and once that it has caught up", async () => {
    const logger = new RecordingLogger();
    await using rig = await start({ ...bounds, logger });
    const slow = await stalledWorker(rig, "slow", "a");
    const publisher = await new RawWorker(rig.dial(), "P").join();
    await overflow(rig, publisher);
    expect(logger.texts("warn")).toEqual([
      "a worker reads too slowly; what it is sent is dropped or refused from now on",
    ]);
    slow.stream.resume();
    while (rig.host.counters().queuedBytes > 0) await slow.nextEvent();
    publisher.publish("t");
    await publisher.settled();
    const caughtUp = logger.lines.find(({ text }) => text === "a worker that read too slowly has caught up");
    expect(caughtUp?.fields).toEqual({ clientId: "slow", lost: rig.host.counters().droppedEvents });
  });
});

describe.each(hostTransports)("events that wait for a worker over $name", ({ start }) => {
  it("are counted as lost when its channel ends before they have left", async () => {
    await using rig = await start(bounds);
    const slow = await stalledWorker(rig, "slow", "a");
    const publisher = await new RawWorker(rig.dial(), "P").join();
    const published = await overflow(rig, publisher);
    slow.stream.cancel();
    await publisher.takeOver("a");
    const { deliveredEvents, droppedEvents, lostEvents, unconfirmedEvents } = rig.host.counters();
    expect(deliveredEvents + droppedEvents).toBe(published);
    expect(lostEvents).toBeGreaterThan(0);
    // The worker has read nothing, and nothing could confirm what it was sent.
    expect(lostEvents + unconfirmedEvents).toBe(deliveredEvents);
  });
});

describe.each(hostTransports)("ending a channel that nobody reads over $name", ({ start }) => {
  it("lets go of a half-closed worker after a while though it takes nothing", async () => {
    const clock = new ManualClock();
    await using rig = await start({ ...bounds, clock });
    const slow = await stalledWorker(rig, "slow", "a");
    const publisher = await new RawWorker(rig.dial(), "P").join();
    await overflow(rig, publisher);
    slow.stream.end();
    await publisher.takeOver("a");
    clock.advance(5_000);
    await slow.ended;
    await publisher.settled();
    expect(rig.host.counters()).toMatchObject({ channels: 1, queuedBytes: 0 });
    expect(clock.pendingTimers).toBe(0);
  });
});

/** As `settled`, where requests may arrive meanwhile: they stay to be taken. */
async function settledBesides(worker: RawWorker): Promise<void> {
  await worker.subscriptions();
}

describe.each(hostTransports)("events that come on a channel that the host has ended, over $name", ({ start }) => {
  it("are counted as unread when a newer channel has replaced it", async () => {
    await using rig = await start(bounds);
    const old = await stalledWorker(rig, "twice", "a");
    const publisher = await new RawWorker(rig.dial(), "P").join();
    const published = await overflow(rig, publisher);
    await new RawWorker(rig.dial(), "twice").join();
    for (let index = 0; index < 3; index += 1) old.publish("elsewhere");
    await expect.poll(() => rig.host.counters().unreadFrames).toBe(3);
    expect(rig.host.counters().events).toBe(published);
  });
});

describe("events of a worker that the host cuts off in the middle of what it reads", () => {
  it("are counted as unread, as far as they have arrived", async () => {
    await using rig = await overGrpc.start({ maxQueuedFrames: 10, whenFull: "disconnect" });
    const worker = await new RawWorker(rig.dial(), "own").join();
    await worker.register("a");
    await worker.subscribe("own", exact("t", "a"));
    for (let index = 0; index < 100; index += 1) worker.publish("t");
    await worker.ended;
    await expect.poll(() => rig.host.counters().events + rig.host.counters().unreadFrames).toBe(100);
    const { overflowedChannels, events, unreadFrames } = rig.host.counters();
    expect([overflowedChannels, events + unreadFrames]).toEqual([1, 100]);
    // The host writes some to the socket before the queue is full.
    expect(events).toBeGreaterThan(10);
    expect(unreadFrames).toBeGreaterThan(0);
  });
});
