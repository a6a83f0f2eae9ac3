import { describe, expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";
import { PlacementWorld } from "../../../support/placement-world.ts";

describe("agents that leave their workers, at the host", () => {
  it("what an agent gave back on its move before waits behind what it gives back now", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    for (const id of ["E1", "E2", "E3"]) world.publish("k", id);
    const first = a.arrived.splice(0).map(({ bytes }) => bytes);
    const [agent] = world.ask(a, ["k"]);
    if (agent === undefined) throw new Error("no claim");
    for (const bytes of first) world.giveBack(a, agent, bytes);
    world.publish("k", "E4");
    world.fillTurn();
    world.leaving.left(a, [agent]);
    // A new turn has tasks for the first of the messages.
    world.batches.add({}, halfTurn());
    world.turn();
    a.arrived.splice(0, 1);
    const sent = a.arrived.splice(0);
    expect(sent).toEqual([]);
    expect(world.leaving.size).toBe(0);
  });

  it("an agent that can't begin to leave gets no message back under its claim", () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    world.publish("k", "E1");
    const [event] = a.arrived.splice(0);
    const account = createMemoryAccountant({ maxBytes: 1 }).openAccount({ party: "x", name: "x", giveWay: () => {} });
    a.account = account;
    if (event !== undefined) world.giveBack(a, world.claimed("k"), event.bytes);
    expect(a.take()).toEqual([]);
    expect(world.counters).toMatchObject({ droppedEvents: 1 });
    expect(limits.leavingPerWorker).toBe(10_000);
  });
});

function halfTurn() {
  return [];
}
