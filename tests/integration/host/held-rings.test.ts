import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../src/testing/index.ts";
import { askLeave, startRooms } from "../../support/leaving-rooms.ts";
import { RawWorker } from "../../support/raw-worker.ts";

/**
 * `room/k` leaves its worker, where a turn of it runs. This turn calls `desk/d`, and a turn of `desk/d` calls `room/k`: the host holds that
 * call until `room/k` has left.
 */
async function openRing() {
  const clock = new ManualClock();
  const world = await startRooms({ clock, heartbeatTimeoutMs: 0 });
  const { rig, holder, caller, agent, first } = world;
  const metadata = { agcaps: "turns" };
  const desk = await new RawWorker(rig.dial(), "D", { isAnnounced: true, metadata }).join();
  await desk.register("desk");
  caller.request("busy", "desk/d");
  await caller.settled();
  const busy = (await desk.nextRequest()).requestId;
  await askLeave(holder, agent, "asked");
  holder.request("out", "desk/d", { metadata: { agpath: `${first.requestId}@room/k` } });
  const out = (await desk.nextRequest()).requestId;
  desk.request("back", "room/k", { metadata: { agpath: `${busy}@desk/d` } });
  await desk.settled();
  expect(rig.host.counters().heldMessages).toBe(1);
  const reportOut = () =>
    desk.send({ kind: "stuck", requestId: out, path: `${first.requestId}@room/k`, behind: [busy] });
  return { ...world, clock, desk, busy, reportOut, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

describe("calls that wait for each other through an agent that leaves its worker", () => {
  it("end as deadlock of the call that the host holds", async () => {
    await using world = await openRing();
    const { rig, desk, clock, reportOut } = world;
    reportOut();
    expect(await desk.settled()).toEqual([]);
    const heldBefore = rig.host.counters().heldBytes;
    clock.advance(1_000);
    const { requestId, error, metadata } = await desk.nextResponse();
    expect([requestId, metadata.agerrorcode]).toEqual(["back", "deadlock"]);
    expect(error).toContain("These calls wait for each other: desk/d → room/k → desk/d.");
    expect(rig.host.counters()).toMatchObject({ deadlockedCalls: 1, heldMessages: 0 });
    expect(rig.host.counters().heldBytes).toBeLessThan(heldBefore);
  });

  it("end as deadlock of the other call if that was reported later", async () => {
    await using world = await openRing();
    const { rig, holder, clock, reportOut } = world;
    clock.advance(1_000);
    reportOut();
    const { requestId, metadata } = await holder.nextResponse();
    expect([requestId, metadata.agerrorcode]).toEqual(["out", "deadlock"]);
    expect(rig.host.counters()).toMatchObject({ deadlockedCalls: 1, heldMessages: 1 });
  });

  it("wait on if the turn of the agent that leaves has ended meanwhile", async () => {
    await using world = await openRing();
    const { rig, holder, desk, clock, first, reportOut } = world;
    clock.advance(1_000);
    holder.respond(first.requestId, "done");
    await holder.settled();
    reportOut();
    expect(await desk.settled()).toEqual([]);
    expect(await holder.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ deadlockedCalls: 0, heldMessages: 1 });
  });

  it("are forgotten when the agent has left, with the memory of the report", async () => {
    await using world = await openRing();
    const { rig, holder, other, desk, clock, agent, first, busy, reportOut } = world;
    const heldBefore = rig.host.counters().heldBytes;
    clock.advance(1_000);
    expect(rig.host.counters().heldBytes).toBeGreaterThan(heldBefore);
    holder.respond(first.requestId, "done");
    holder.send({ kind: "left", agents: [agent] });
    const placed = [...(await holder.settled()), ...(await other.settled())];
    expect(placed.map(({ kind }) => kind)).toEqual(["request"]);
    expect(rig.host.counters().heldBytes).toBeLessThan(heldBefore);
    reportOut();
    desk.respond(busy, "done");
    await desk.settled();
    expect(rig.host.counters()).toMatchObject({ deadlockedCalls: 0, heldMessages: 0 });
  });
});
