import { describe, expect, it } from "vitest";
import type { HostOptions } from "../../../src/host/index.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { RawWorker, textOf } from "../../support/raw-worker.ts";

describe.each(hostTransports)("calls given up, through the host over $name", ({ start }) => {
  it("announces itself to a worker that does, and says nothing new to one that does not", async () => {
    await using rig = await start();
    const ours = new RawWorker(rig.dial(), "O", { isAnnounced: true }).open();
    const stock = new RawWorker(rig.dial(), "S").open();
    expect((await ours.responseMetadata()).agtroupe).toBe("1");
    expect(await stock.responseMetadata()).not.toHaveProperty("agtroupe");
  });

  it.each(["cancelled", "timed-out", "caller-gone"] as const)(
    "passes a cancel on to the target under the id the target knows, with its reason (%s)",
    async (reason) => {
      await using scene = await openScene(start);
      const { caller, target, rig } = scene;
      caller.request("7", "echo/k");
      const { requestId } = await target.nextRequest();
      caller.send({ kind: "cancel", requestId: "7", reason });
      expect(await target.nextCancel()).toEqual({ kind: "cancel", requestId, reason });
      expect(rig.host.counters()).toMatchObject({ pendingCalls: 0, abandonedCalls: 1, unmatchedCancels: 0 });
      target.respond(requestId, "late");
      expect(await caller.settled()).toEqual([]);
      expect(await target.settled()).toEqual([]);
      expect(rig.host.counters()).toMatchObject({ lateAnswers: 1 });
    },
  );

  it("lets an answer that is faster than the cancel pass, and counts the cancel", async () => {
    await using scene = await openScene(start);
    const { caller, target, rig } = scene;
    caller.request("7", "echo/k");
    target.respond((await target.nextRequest()).requestId, "in time");
    expect(textOf(await caller.nextResponse())).toBe("in time");
    caller.send({ kind: "cancel", requestId: "7", reason: "cancelled" });
    expect(await caller.settled()).toEqual([]);
    expect(await target.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unmatchedCancels: 1, abandonedCalls: 0 });
  });

  it("ignores and counts cancels of calls that are none of the sender's, under either of their ids", async () => {
    await using scene = await openScene(start);
    const { caller, target, rig } = scene;
    const other = await new RawWorker(rig.dial(), "O", { isAnnounced: true }).join();
    caller.request("7", "echo/k");
    const { requestId } = await target.nextRequest();
    for (const id of ["7", requestId, "8", ""]) other.send({ kind: "cancel", requestId: id, reason: "cancelled" });
    caller.send({ kind: "cancel", requestId, reason: "cancelled" });
    target.send({ kind: "cancel", requestId, reason: "cancelled" });
    await other.settled();
    await caller.settled();
    expect(await target.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unmatchedCancels: 6, pendingCalls: 1 });
    target.respond(requestId, "still wanted");
    expect(textOf(await caller.nextResponse())).toBe("still wanted");
  });

  it("takes no cancel from a worker that did not announce itself", async () => {
    await using scene = await openScene(start);
    const { target, rig } = scene;
    const stock = await new RawWorker(rig.dial(), "S").join();
    stock.request("7", "echo/k");
    const { requestId } = await target.nextRequest();
    stock.send({ kind: "cancel", requestId: "7", reason: "cancelled" });
    expect(await stock.settled()).toEqual([]);
    target.respond(requestId, "still wanted");
    expect(textOf(await stock.nextResponse())).toBe("still wanted");
    expect(rig.host.counters()).toMatchObject({ unmatchedCancels: 1 });
  });

  it.each(["cancel", "end"] as const)(
    "tells the target that its caller is gone when the caller leaves by %s, whoever the caller was",
    async (leave) => {
      await using scene = await openScene(start);
      const { caller, target, rig } = scene;
      const stock = await new RawWorker(rig.dial(), "S").join();
      for (const one of [caller, stock]) {
        one.request("7", "echo/k");
        const { requestId } = await target.nextRequest();
        one.stream[leave]();
        expect(await target.nextCancel()).toEqual({ kind: "cancel", requestId, reason: "caller-gone" });
      }
      expect(rig.host.counters()).toMatchObject({ pendingCalls: 0, abandonedCalls: 2 });
    },
  );

  it("tells the target when a call's time is up at the host", async () => {
    const clock = new ManualClock();
    await using scene = await openScene(start, { clock, callTimeoutMs: 1_000 });
    const { caller, target } = scene;
    caller.request("7", "echo/k");
    const { requestId } = await target.nextRequest();
    clock.advance(1_000);
    expect(await target.nextCancel()).toEqual({ kind: "cancel", requestId, reason: "timed-out" });
    expect(await caller.nextResponse()).toMatchObject({ requestId: "7", metadata: { agerrortype: "Timeout" } });
  });

  it("forgets a call that waits for its target's channel when its caller gives it up", async () => {
    await using rig = await start();
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    const target = new RawWorker(rig.dial(), "T", { isAnnounced: true });
    await target.register("late");
    caller.request("7", "late/k");
    caller.send({ kind: "cancel", requestId: "7", reason: "cancelled" });
    await caller.settled();
    target.open();
    expect(await target.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ pendingCalls: 0, abandonedCalls: 1 });
  });

  it("never sends a stock target anything new, whatever becomes of the call", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock, callTimeoutMs: 1_000 });
    const stock = await new RawWorker(rig.dial(), "S").join();
    await stock.register("stock");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    const leaver = await new RawWorker(rig.dial(), "L", { isAnnounced: true }).join();
    for (const id of ["1", "2"]) caller.request(id, "stock/k");
    leaver.request("1", "stock/k");
    for (let count = 0; count < 3; count += 1) await stock.nextRequest();
    caller.send({ kind: "cancel", requestId: "1", reason: "cancelled" });
    await caller.settled();
    leaver.stream.cancel();
    await leaver.ended;
    await caller.settled();
    clock.advance(1_000);
    await caller.nextResponse();
    expect(await stock.settled()).toEqual([]);
  });
});

/** An announced caller and an announced target that serves `echo`. */
async function openScene(start: (options?: HostOptions) => Promise<HostRig>, options?: HostOptions) {
  const rig = await start(options);
  const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
  await target.register("echo");
  const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
  return { rig, caller, target, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}
