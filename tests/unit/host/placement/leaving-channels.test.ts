import { describe, expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { PlacementWorld } from "../../../support/placement-world.ts";

/** A worker with two channels that holds `room/k`, and has been told on both that the agent leaves. */
function openChange() {
  const world = new PlacementWorld();
  const [older, newer] = [world.open("A1", "A"), world.open("A2", "A")];
  world.publish("k", "E1");
  const agents = world.ask(newer, ["k"]);
  for (const channel of [older, newer]) channel.arrived.length = 0;
  const later = () => {
    world.clock.advance(limits.leaveRetryMs);
    world.turns.turns();
  };
  return { world, older, newer, agents, later };
}

const told = "leave asked 0: k";

describe("agents of a worker that loses one of its channels", () => {
  it("are told nothing more when it has said left there already", () => {
    const { world, older, newer, agents, later } = openChange();
    world.leaving.left(older, agents);
    world.end(older);
    later();
    expect(newer.take()).toEqual([]);
    world.leaving.left(newer, agents);
    expect(world.leaving.size).toBe(0);
  });

  it("are told again on the other one when only the lost one had still to answer [L12]", () => {
    const { world, older, newer, agents, later } = openChange();
    world.leaving.left(newer, agents);
    world.end(older);
    later();
    expect([newer.take(), world.leaving.size]).toEqual([[told], 1]);
    world.leaving.left(newer, agents);
    later();
    expect([newer.take(), world.leaving.size]).toEqual([[], 0]);
  });

  it("have not left while it may give back what was on its way on a channel that it leaves", () => {
    const { world, older, newer, agents, later } = openChange();
    world.publish("k", "E2");
    // The worker says `leaving` there, and has not half-closed it.
    world.placement.peerEnded(older);
    world.leaving.left(newer, agents);
    later();
    expect([newer.take(), world.leaving.size]).toEqual([[], 1]);
    world.leaving.left(older, agents);
    world.turns.turns();
    expect([newer.take(), world.leaving.size]).toEqual([["E2 for k"], 0]);
  });

  it("have an event at their next place that was on its way on a channel which the worker has left", () => {
    const world = new PlacementWorld();
    const older = world.open("A1", "A");
    world.publish("k", "E1");
    const [event] = older.arrived;
    const newer = world.open("A2", "A");
    world.placement.peerEnded(older);
    const [agent] = world.ask(newer, ["k"]);
    if (event === undefined || agent === undefined) throw new Error("no event came");
    world.leaving.left(newer, [agent]);
    newer.take();
    // The worker gives it back by the channel that it has, or by the one on which it came.
    for (const channel of [newer, older]) {
      world.giveBack(channel, agent, event.bytes);
      expect(newer.take()).toEqual(["E1 for k"]);
    }
    expect(world.counters).toMatchObject({ returnedMessages: 2, unmatchedReturns: 0, droppedEvents: 0 });
    // Not under the claim of now if that is another worker's, nor under one that the host has not given.
    world.end(newer);
    world.end(older);
    const other = world.open("B");
    world.publish("k", "E2");
    const [next] = other.arrived.splice(0);
    const stranger = world.open("C");
    const claimed = world.claimed("k");
    if (next === undefined) throw new Error("no event came");
    world.giveBack(stranger, claimed, next.bytes);
    world.giveBack(stranger, agent, event.bytes);
    expect([other.take(), stranger.take()]).toEqual([[], []]);
    expect(world.counters).toMatchObject({ returnedMessages: 2, unmatchedReturns: 2 });
  });

  it("are told again when such a channel ends without a left", () => {
    const { world, older, newer, agents, later } = openChange();
    world.placement.peerEnded(older);
    world.leaving.left(newer, agents);
    world.end(older);
    later();
    expect([newer.take(), world.leaving.size]).toEqual([[told], 1]);
    world.leaving.left(newer, agents);
    world.turns.turns();
    expect(world.leaving.size).toBe(0);
  });

  it("have left with the next left, also before the host has looked for those that it must tell again", () => {
    const { world, older, newer, agents, later } = openChange();
    world.end(older);
    world.leaving.left(newer, agents);
    expect(world.leaving.size).toBe(0);
    later();
    expect(newer.take()).toEqual([]);
  });

  it("are told on each channel when its queue takes a notice, whatever the other one takes", () => {
    const world = new PlacementWorld();
    const [older, newer] = [world.open("A1", "A"), world.open("A2", "A")];
    world.publish("k", "E1");
    newer.arrived.length = 0;
    older.isFull = true;
    const agents = world.ask(newer, ["k"]);
    expect([older.take(), newer.take()]).toEqual([[], [told]]);
    world.leaving.left(newer, agents);
    // It has not left: the older channel has not been told.
    expect(world.leaving.size).toBe(1);
    older.isFull = false;
    world.clock.advance(limits.leaveRetryMs);
    expect([older.take(), newer.take()]).toEqual([[told], []]);
  });

  it("are told in the order in which they leave, with one attempt until a full queue is asked again", () => {
    const world = new PlacementWorld();
    const channel = world.open("A1", "A");
    for (const key of ["k", "l", "m"]) world.publish(key, key);
    channel.arrived.length = 0;
    let attempts = 0;
    const send = channel.send.bind(channel);
    channel.send = (frame, use) => {
      attempts += 1;
      return send(frame, use);
    };
    channel.isFull = true;
    world.ask(channel, ["k"]);
    world.ask(channel, ["l"]);
    expect(attempts).toBe(1);
    channel.isFull = false;
    // It does not pass the two that wait.
    world.ask(channel, ["m"]);
    expect(channel.take()).toEqual([]);
    world.clock.advance(limits.leaveRetryMs);
    expect(channel.take()).toEqual(["leave asked 0: k,l,m"]);
  });

  it("are gone for the worker, too: it hears on the other channel that it holds none, if the full one ends", () => {
    const world = new PlacementWorld();
    const [older, newer] = [world.open("A1", "A"), world.open("A2", "A")];
    newer.isFull = true;
    world.drains.workerLeaves(older, 1_000);
    world.end(newer);
    world.clock.advance(limits.leaveRetryMs);
    expect(older.take()).toEqual(["leave draining 0: "]);
    world.end(older);
    expect(world.clock.pendingTimers).toBe(0);
  });
});
