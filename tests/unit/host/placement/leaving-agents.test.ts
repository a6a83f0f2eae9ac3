import { describe, expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { type KeptChannel, PlacementWorld } from "../../../support/placement-world.ts";

function numbered(count: number, first = 1): string[] {
  return Array.from({ length: count }, (_, at) => `E${first + at}`);
}

function idsAt(channel: KeptChannel): string[] {
  return channel.arrived.flatMap(({ frame }) => (frame.kind === "event" ? [frame.event.id] : []));
}

/** Gives back all events that a channel has got, in their order. */
function giveAllBack(world: PlacementWorld, from: KeptChannel, agent: ReturnType<PlacementWorld["claimed"]>): void {
  for (const { frame, bytes } of from.arrived.splice(0)) if (frame.kind === "event") world.giveBack(from, agent, bytes);
}

describe("agents that leave their workers", () => {
  it("get what they gave back first, then what waited, and keep that order when they leave again at once [L7]", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    const count = limits.batchSize + 100;
    for (const id of numbered(count)) world.publish("k", id);
    for (const again of [false, true]) {
      const [agent] = world.ask(a, ["k"]);
      if (agent === undefined) throw new Error("the agent has no claim");
      giveAllBack(world, a, agent);
      if (!again) {
        world.publish("k", "last");
        world.fillTurn();
      }
      world.leaving.left(a, [agent]);
      expect(idsAt(a)).toEqual([]);
      world.turn();
      // One turn of the event loop does not do for all.
      expect(idsAt(a)).toEqual(numbered(limits.batchSize));
    }
    world.turns.turns();
    expect(idsAt(a)).toEqual([...numbered(count), "last"]);
    expect([world.leaving.size, world.leaving.heldCount]).toEqual([0, 0]);
  });

  it("do not make the host count an event as unroutable that waits for them", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    world.publish("k", "E1");
    world.ask(a, ["k"]);
    world.publish("k", "E2");
    expect(world.leaving.heldCount).toBe(1);
    expect(world.counters).toMatchObject({ events: 2, deliveredEvents: 1, unroutableEvents: 0, droppedEvents: 0 });
  });

  it("are told later when the queue of their worker takes no notice, and get nothing meanwhile [L3]", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    world.publish("k", "E1");
    a.arrived.length = 0;
    a.isFull = true;
    const agents = world.ask(a, ["k"]);
    world.publish("k", "E2");
    world.clock.advance(limits.leaveRetryMs);
    expect(a.take()).toEqual([]);
    a.isFull = false;
    world.clock.advance(limits.leaveRetryMs);
    expect(a.take()).toEqual(["leave asked 0: k"]);
    world.leaving.left(a, agents);
    expect(a.take()).toEqual(["E2 for k"]);
    world.clock.advance(10 * limits.leaveRetryMs);
    expect(a.take()).toEqual([]);
  });

  it("get first what their worker gave back on its older channel, in whatever order the channels are read [L7]", () => {
    const world = new PlacementWorld();
    const older = world.open("A1", "A");
    for (const id of ["E1", "E2"]) world.publish("k", id);
    const newer = world.open("A2", "A");
    world.publish("k", "E3");
    const [first, second] = older.arrived.splice(0);
    const [third] = newer.arrived.splice(0);
    const agents = world.ask(newer, ["k"]);
    const [agent] = agents;
    if (!agent || !first || !second || !third) throw new Error("an event did not come");
    world.giveBack(newer, agent, third.bytes);
    world.leaving.left(newer, agents);
    for (const { bytes } of [first, second]) world.giveBack(older, agent, bytes);
    newer.arrived.length = 0;
    world.leaving.left(older, agents);
    world.turns.turns();
    expect(newer.take()).toEqual(["E1 for k", "E2 for k", "E3 for k"]);
  });

  it("keep the order of what their worker gives back while it opens another channel [L7]", () => {
    const world = new PlacementWorld();
    const older = world.open("A1", "A");
    for (const id of ["E1", "E2", "E3"]) world.publish("k", id);
    const sent = older.arrived.splice(0);
    const agents = world.ask(older, ["k"]);
    const [agent] = agents;
    const [first, ...later] = sent;
    if (agent === undefined || first === undefined) throw new Error("no event came");
    world.giveBack(older, agent, first.bytes);
    const newer = world.open("A2", "A");
    for (const { bytes } of later) world.giveBack(older, agent, bytes);
    newer.arrived.length = 0;
    world.leaving.left(older, agents);
    world.turns.turns();
    expect(newer.take()).toEqual(["E1 for k", "E2 for k", "E3 for k"]);
  });

  it("are not told later what is not true any more: they have left by another channel's word", () => {
    const world = new PlacementWorld();
    const [older, newer] = [world.open("A1", "A"), world.open("A2", "A")];
    world.publish("k", "E1");
    newer.arrived.length = 0;
    older.isFull = true;
    const agents = world.ask(newer, ["k"], "idle");
    world.leaving.stayed(newer, agents);
    older.isFull = false;
    world.clock.advance(limits.leaveRetryMs);
    expect([older.take(), newer.take()]).toEqual([[], ["leave idle 0: k"]]);
  });

  it("keep what comes back for one that can't begin to leave from going round under its claim [L6 L13]", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    const keys = Array.from({ length: limits.leavingPerWorker }, (_, at) => `${at}`);
    for (const key of [...keys, "k"]) world.publish(key, "E1");
    const [event] = a.arrived.splice(0).slice(-1);
    world.ask(a, keys);
    expect(world.leaving.countOf("A")).toBe(limits.leavingPerWorker);
    a.arrived.length = 0;
    if (event !== undefined) world.giveBack(a, world.claimed("k"), event.bytes);
    expect(a.take()).toEqual([]);
    expect(world.counters).toMatchObject({ droppedEvents: 1, returnedMessages: 1 });
  });

  it("leave at once if their worker asks for a claim that ended with their type [L2]", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    world.publish("k", "E1");
    const agents = [world.claimed("k")];
    world.owners.release("room", "A");
    world.turns.turns();
    world.owners.claim("room", "A", { sharing: { placement: undefined, requires: {} } });
    a.arrived.length = 0;
    world.leaving.asked(a, agents, "asked");
    expect(a.take()).toEqual(["leave asked 0: k"]);
    world.leaving.left(a, agents);
    expect([world.leaving.size, a.take()]).toEqual([0, []]);
  });

  it("end their wait when no worker serves their type any more; a later type of that name is another one", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    world.publish("k", "E1");
    const agents = world.ask(a, ["k"]);
    world.publish("k", "E2");
    world.owners.release("room", "A");
    world.turns.turns();
    expect(world.counters).toMatchObject({ skippedEvents: 1 });
    expect([world.leaving.size, world.leaving.heldCount]).toEqual([0, 0]);
    world.owners.claim("room", "A", { sharing: { placement: undefined, requires: {} } });
    a.arrived.length = 0;
    world.publish("k", "E3");
    world.leaving.left(a, agents);
    world.publish("k", "E4");
    expect(a.take()).toEqual(["E3 for k", "E4 for k"]);
    expect(world.counters).toMatchObject({ unmatchedReturns: 1 });
  });

  it("of a lost worker are placed anew, with what it gave back first [L12]", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    for (const id of ["E1", "E2"]) world.publish("k", id);
    const b = world.open("B");
    const [agent] = world.ask(a, ["k"]);
    const [, second] = a.arrived.splice(0);
    if (agent !== undefined && second !== undefined) world.giveBack(a, agent, second.bytes);
    world.publish("k", "E3");
    world.end(a);
    world.turns.turns();
    expect(b.take()).toEqual(["E2 for k", "E3 for k"]);
    expect(world.claims.map((occurrence) => "what" in occurrence && occurrence.what)).toEqual(["made", "lost", "made"]);
  });

  it("stay by the word of their worker alone, and not at a worker that stops [L8]", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    world.publish("k", "E1");
    const asked = world.ask(a, ["k"]);
    a.arrived.length = 0;
    world.leaving.stayed(a, asked);
    // It was asked for, not idle.
    expect(world.leaving.size).toBe(1);
    world.leaving.left(a, asked);
    world.publish("k", "E2");
    const idle = world.ask(a, ["k"], "idle");
    a.arrived.length = 0;
    world.drains.workerLeaves(a, 700);
    world.leaving.stayed(a, idle);
    expect(a.take()).toEqual(["leave draining 700: k"]);
  });

  it("that ask to leave a worker which stops are told so, whatever they have asked for [L3]", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    for (let at = 0; at <= limits.leavingOfDrain; at += 1) world.publish(`${at}`, "E");
    world.drains.workerLeaves(a, 700);
    world.turns.turns();
    const leaving = a.arrived.splice(0).flatMap(({ frame }) => (frame.kind === "leave" ? frame.agents : []));
    expect(leaving).toHaveLength(limits.leavingOfDrain);
    // One is left: not all may leave at once.
    const told = new Set(leaving.map(({ key }) => key));
    const last = Array.from({ length: limits.leavingOfDrain + 1 }, (_, at) => `${at}`).filter((key) => !told.has(key));
    world.ask(a, last, "idle");
    expect(a.take()).toEqual([`leave draining 700: ${last[0]}`]);
  });
});
