import { describe, expect, it } from "vitest";
import type { HostOccurrence } from "../../../src/host/index.ts";
import { metadataKey } from "../../../src/protocol/index.ts";
import { signals } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { asking } from "../../support/asking.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { openSide } from "../../support/open-side.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

const goodbye = { by: "status", status: { code: StatusCode.unavailable, details: "Host is shutting down." } };

/** A worker that has stopped reading, with much waiting for it. */
async function stalledWorker(rig: HostRig): Promise<RawWorker> {
  const slow = await new RawWorker(rig.dial(), "slow").join();
  await slow.register("slow");
  await slow.subscribe("S", exact("t", "slow"));
  slow.stream.pause();
  const publisher = await new RawWorker(rig.dial(), "P").join();
  const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array(512 * 1024) };
  while (rig.host.counters().queuedBytes < 8 * 1024 * 1024) {
    publisher.send({
      kind: "event",
      event: { id: "E", topicType: "t", topicSource: "s", sender: undefined, payload, attributes: {} },
    });
    await publisher.settled();
  }
  return slow;
}

describe.each(hostTransports)(
  "a worker that reads nothing and that another channel replaces, over $name",
  ({ start }) => {
    it("leaves its callers their outcome at once, not when it is cut off", async () => {
      const clock = new ManualClock();
      await using rig = await start({ clock });
      await stalledWorker(rig);
      const caller = await new RawWorker(rig.dial(), "C").join();
      caller.request("1", "slow/k");
      await caller.settled();
      const before = clock.now();
      await new RawWorker(rig.dial(), "slow").join();
      expect(await caller.nextResponse()).toMatchObject({
        requestId: "1",
        error: expect.stringContaining("disconnected"),
      });
      expect(clock.now()).toBe(before);
    });
  },
);

describe.each(hostTransports)("a host that drains over $name", ({ start }) => {
  it("tells Troupe's workers that it goes, and for how long it is still there; stock workers are told nothing new", async () => {
    await using rig = await start();
    const ours = await new RawWorker(rig.dial(), "O", { isAnnounced: true }).join();
    const stock = await new RawWorker(rig.dial(), "S").join();
    await ours.register("a");
    for (const worker of [ours, stock]) worker.request("1", "a/k");
    for (let count = 0; count < 2; count += 1) await ours.nextRequest();
    const stopped = rig.host.stop({ graceMs: 2_000 });
    const leaving = await ours.next();
    expect(leaving).toMatchObject({ kind: "leaving" });
    expect(leaving.kind === "leaving" && leaving.graceMs).toBeGreaterThan(0);
    for (const worker of [ours, stock]) {
      const answer = await worker.nextResponse();
      expect(answer).toMatchObject({ requestId: "1", error: "Host is shutting down." });
      expect(answer.metadata[metadataKey.errorCode]).toBe("shutting-down");
      expect(await worker.ended).toMatchObject(goodbye);
    }
    await stopped;
  });

  it("ends within its grace though a worker takes nothing; the others get all that is theirs", async () => {
    await using rig = await start();
    const slow = await stalledWorker(rig);
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "slow/k");
    await caller.subscriptions();
    // Without its grace the host would wait for the slow worker for ever.
    await rig.host.stop({ graceMs: 500 });
    expect((await caller.nextResponse()).error).toBe("Host is shutting down.");
    expect(await caller.ended).toMatchObject(goodbye);
    await slow.ended;
    expect(rig.host.counters()).toMatchObject({ channels: 0, pendingCalls: 0, queuedBytes: 0 });
  });

  it("takes no new calls while it drains: their callers hear at once that it ends", async () => {
    await using rig = await start();
    const slow = await stalledWorker(rig);
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("a");
    const { calls } = rig.host.counters();
    const patient = rig.host.stop({ graceMs: 600_000 });
    await target.ended;
    // Its channel stands until it has taken what waits for it: it can still ask.
    slow.request("late", "a/k");
    while (rig.host.counters().calls === calls) await new Promise((resolve) => setImmediate(resolve));
    slow.stream.resume();
    let frame = await slow.next();
    while (frame.kind === "event") frame = await slow.next();
    expect(frame).toMatchObject({ kind: "response", requestId: "late", error: "Host is shutting down." });
    await patient;
  });

  it("can be told to hurry while it drains", async () => {
    await using rig = await start();
    await stalledWorker(rig);
    const patient = rig.host.stop({ graceMs: 600_000 });
    const other = await new RawWorker(rig.dial(), "X").open().ended;
    expect(other.by).toBe("status");
    await Promise.all([patient, rig.host.stop({ graceMs: 0 })]);
    await rig.host.closed;
  });

  it("hurries when the signal of its stop aborts", async () => {
    await using rig = await start();
    await stalledWorker(rig);
    const hurry = new AbortController();
    const stopped = rig.host.stop({ graceMs: 600_000, signal: hurry.signal });
    const other = await new RawWorker(rig.dial(), "X").open().ended;
    expect(other.by).toBe("status");
    hurry.abort();
    await stopped;
    await rig.host.closed;
  });

  it("refuses a worker that authorize has admitted in the same turn, and opens nothing", async () => {
    let admit: (principal: undefined) => void = () => {};
    let onAsked: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      onAsked = resolve;
    });
    const authorize = () =>
      new Promise<undefined>((resolve) => {
        admit = resolve;
        onAsked();
      });
    const occurrences: HostOccurrence[] = [];
    await using rig = await start({ authorize, observer: (what) => occurrences.push(what) });
    const worker = new RawWorker(rig.dial(), "W").open();
    await asked;
    admit(undefined);
    // The answer is in, and its stream has not been told.
    await Promise.resolve();
    const drained = rig.host.servicer.drain(1_000, Promise.resolve());
    expect(await worker.ended).toMatchObject(goodbye);
    await drained;
    expect(occurrences).toEqual([]);
  });

  it("refuses a side stream that authorize has admitted in the same turn", async () => {
    const { authorize, asked, answer } = asking();
    await using rig = await start({
      authorize: (call) => (call.method === signals.method ? authorize(call) : undefined),
    });
    const link = rig.dial();
    await new RawWorker(link, "W", { isAnnounced: true }).join();
    const side = openSide(link, "W");
    await asked(signals.method);
    answer(signals.method, undefined);
    // The answer is in, and its stream has not been told.
    await Promise.resolve();
    const drained = rig.host.servicer.drain(1_000, Promise.resolve());
    expect(await side.ended).toMatchObject(goodbye);
    await drained;
  });

  it("keeps no reservation, and no timer, for workers that it ends", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock, reconnectGraceMs: 60_000 });
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    await new RawWorker(rig.dial(), "ahead of its channel").register("b");
    await rig.host.stop({ graceMs: 1_000 });
    await worker.ended;
    expect(clock.pendingTimers).toBe(0);
    expect(rig.host.counters().reservedClients).toBe(0);
  });

  it("refuses a registration that authorize has admitted in the same turn", async () => {
    let admit: (principal: undefined) => void = () => {};
    let onAsked: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      onAsked = resolve;
    });
    const authorize = () =>
      new Promise<undefined>((resolve) => {
        admit = resolve;
        onAsked();
      });
    await using rig = await start({ authorize });
    const refused = expect(new RawWorker(rig.dial(), "W").register("a")).rejects.toMatchObject({
      code: StatusCode.unavailable,
    });
    await asked;
    admit(undefined);
    // The answer is in, and its call has not been told.
    await Promise.resolve();
    await rig.host.servicer.drain(1_000, Promise.resolve());
    await refused;
    expect(rig.host.counters().agentTypes).toBe(0);
  });
});
