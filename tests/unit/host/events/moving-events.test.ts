import { describe, expect, it } from "vitest";
import { type KeptChannel, PlacementWorld } from "../../../support/placement-world.ts";

/** A host that has sent the event E1 to a worker. */
function worldWithEvent() {
  const world = new PlacementWorld();
  const worker = world.open("A");
  world.publish("k", "E1");
  return { world, worker, agent: world.claimed("k"), event: takeEvent(worker) };
}

function takeEvent(channel: KeptChannel): Uint8Array {
  const [event] = channel.arrived.splice(0).filter(({ frame }) => frame.kind === "event");
  if (event === undefined) throw new Error("no event has come");
  return event.bytes;
}

describe("an event that a worker gives back", () => {
  it("comes again once, though the worker names its agent twice [L6]", () => {
    const { world, worker, agent, event } = worldWithEvent();
    world.giveBack(worker, agent, event, { agents: [agent, agent] });
    expect(worker.take()).toEqual(["leave failed 0: k"]);
    world.leaving.left(worker, [agent]);
    expect(worker.take()).toEqual(["E1 for k"]);
    expect(world.counters).toMatchObject({ returnedMessages: 1, unmatchedReturns: 1 });
  });

  it("does not come again if the worker says that it has got it under another epoch [L6]", () => {
    const { world, worker, agent, event } = worldWithEvent();
    const left = world.ask(worker, ["k"]);
    world.leaving.left(worker, left);
    world.publish("k", "E2");
    const anew = world.claimed("k");
    expect(anew).not.toEqual(agent);
    expect(worker.take()).toEqual(["leave asked 0: k", "E2 for k"]);
    world.giveBack(worker, anew, event);
    expect(worker.take()).toEqual([]);
    expect(world.counters).toMatchObject({ returnedMessages: 0, unmatchedReturns: 1 });
    expect(world.leaving.size).toBe(0);
  });

  it("has a second try after a conflict, and no third one [L13]", () => {
    const reason = "conflict";
    const { world, worker, event } = worldWithEvent();
    world.giveBack(worker, world.claimed("k"), event, { reason });
    world.leaving.left(worker, [world.claimed("k")]);
    const again = takeEvent(worker);
    const second = world.claimed("k");
    world.leaving.asked(worker, [second], "stale");
    world.giveBack(worker, second, again, { reason });
    world.leaving.left(worker, [second]);
    expect(worker.take()).toEqual(["leave stale 0: k"]);
    expect(world.counters).toMatchObject({ returnedMessages: 1, droppedEvents: 1 });
  });
});
