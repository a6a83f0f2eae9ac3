import { describe, expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { type KeptChannel, PlacementWorld } from "../../../support/placement-world.ts";

/** A worker that holds so many agents. */
function holderOf(world: PlacementWorld, count: number, id = "A"): KeptChannel {
  const channel = world.open(id);
  for (let at = 0; at < count; at += 1) world.publish(`${at}`, "E");
  channel.arrived.length = 0;
  return channel;
}

/** Takes the agents of the `leave` notices that have come. */
function toldTo(channel: KeptChannel) {
  return channel.arrived.splice(0).flatMap(({ frame }) => (frame.kind === "leave" ? [frame.agents] : []));
}

describe("the drain of a worker", () => {
  it("says leave in lots, for at most 4,000 agents at once, until the worker holds none [L9]", () => {
    const world = new PlacementWorld();
    const a = holderOf(world, 6_500);
    world.drains.workerLeaves(a, 5_000);
    world.turns.turns();
    const first = toldTo(a);
    expect(first.map(({ length }) => length)).toEqual([1_000, 1_000, 1_000, 1_000]);
    let [under, all] = [first, first.flat().length];
    for (let lots = 0; under.length > 0 && lots < 20; lots += 1) {
      const [lot, ...others] = under;
      world.leaving.left(a, lot ?? []);
      world.turns.turns();
      const more = toldTo(a).filter(({ length }) => length > 0);
      all += more.flat().length;
      under = [...others, ...more];
      expect(world.leaving.countOf("A")).toBeLessThanOrEqual(limits.leavingOfDrain);
    }
    expect([all, world.directory.countOf("A"), world.leaving.size]).toEqual([6_500, 0, 0]);
  });

  it("tells the worker last that it holds no agent, behind a leave that its queue did not take at first", async () => {
    const world = new PlacementWorld();
    const a = holderOf(world, 1);
    const agents = [world.claimed("0")];
    a.isFull = true;
    world.drains.workerLeaves(a, 5_000);
    world.leaving.left(a, agents);
    a.isFull = false;
    world.clock.advance(limits.leaveRetryMs);
    expect(a.take()).toEqual(["leave draining 0: "]);
    expect(await world.drains.drainWorker("A", {})).toMatchObject({ at: "drained", leftAgents: 1, revokedAgents: 0 });
  });

  it("is said again to a worker that was lost before it answered, and that comes back [L11]", async () => {
    const world = new PlacementWorld();
    const lost = world.open("A");
    const outcome = world.drains.drainWorker("A", { graceMs: 7_000 });
    expect(lost.take()).toEqual(["drain"]);
    world.end(lost);
    expect(await outcome).toMatchObject({ at: "gone" });
    const back = world.open("A2", "A");
    expect(back.arrived[0]?.frame).toEqual({ kind: "drain", graceMs: 7_000 });
    expect(world.workers.isDraining("A")).toBe(true);
    back.arrived.length = 0;
    // On one more channel it is said again, until the worker answers.
    const more = world.open("A3", "A");
    expect(more.take()).toEqual(["drain"]);
    world.drains.workerLeaves(more, 7_000);
    for (const channel of [back, more]) world.end(channel);
    expect(world.open("A4", "A").take()).toEqual([]);
  });

  it("remembers 1,000 lost workers that have not answered, the newest", () => {
    const world = new PlacementWorld();
    for (let at = 0; at <= limits.unheardDrains; at += 1) {
      const channel = world.open(`${at}`);
      void world.drains.drainWorker(`${at}`, {});
      world.end(channel);
    }
    expect([world.open("0").take(), world.open("1").take()]).toEqual([[], ["drain"]]);
  });

  it("is said once the queue of the worker's channel takes it [L11]", async () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    a.isFull = true;
    void world.drains.drainWorker("A", { graceMs: 7_000 });
    world.clock.advance(limits.leaveRetryMs);
    a.isFull = false;
    world.clock.advance(limits.leaveRetryMs);
    expect(a.take()).toEqual(["drain"]);
    world.drains.workerLeaves(a, 7_000);
    world.clock.advance(7_000);
    expect(a.take()).toEqual(["leave draining 0: "]);
  });

  it("waits for the word of a worker that has no agents, and still starts", async () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    const outcomes: unknown[] = [];
    const outcome = world.drains.drainWorker("A", { graceMs: 7_000 });
    void outcome.then((one) => outcomes.push(one));
    world.clock.advance(6_999);
    await Promise.resolve();
    expect([outcomes, a.take()]).toEqual([[], ["drain"]]);
    world.drains.workerLeaves(a, 0);
    expect(await outcome).toEqual({ at: "drained", leftAgents: 0, revokedAgents: 0, hasAnswered: true });
    expect([a.take(), world.clock.pendingTimers]).toEqual([["leave draining 0: "], 0]);
  });

  it("says that a worker without agents has not answered when the time is over", async () => {
    const world = new PlacementWorld();
    const a = world.open("A");
    const outcome = world.drains.drainWorker("A", { graceMs: 7_000 });
    world.clock.advance(7_000);
    expect(await outcome).toEqual({ at: "drained", leftAgents: 0, revokedAgents: 0, hasAnswered: false });
    expect([world.counters.revokedClaims, world.ended, world.placement.isRevoked(a)]).toEqual([0, [], false]);
  });

  it("ends for its operator when the host stops, though the worker's channel does not end", async () => {
    const world = new PlacementWorld();
    holderOf(world, 1);
    const outcome = world.drains.drainWorker("A", { graceMs: 5_000 });
    world.drains.close();
    expect(await outcome).toEqual({ at: "gone", leftAgents: 0 });
    world.clock.advance(5_000);
    expect([world.counters.revokedClaims, world.clock.pendingTimers]).toEqual([0, 0]);
  });

  it("does not begin when the host stops, whoever asks for it", async () => {
    const world = new PlacementWorld();
    const [a, b] = [holderOf(world, 1), world.open("B")];
    void world.drains.drainWorker("A", { graceMs: 5_000 });
    a.take();
    world.drains.close();
    a.isFull = true;
    world.drains.workerLeaves(a, 5_000);
    world.drains.workerLeaves(b, 5_000);
    expect(await world.drains.drainWorker("B", {})).toEqual({ at: "gone", leftAgents: 0 });
    a.isFull = false;
    world.clock.advance(5_000);
    // A worker that still holds agents does not hear that all have left.
    expect([a.take(), b.take(), world.clock.pendingTimers]).toEqual([[], [], 0]);
    expect(world.counters.revokedClaims).toBe(0);
  });

  it("is over when the host stops: a leave that a full queue does not take then is not said later", () => {
    const world = new PlacementWorld();
    const a = holderOf(world, 1);
    world.drains.close();
    a.isFull = true;
    world.ask(a, ["0"]);
    expect(world.clock.pendingTimers).toBe(0);
  });

  it("takes the host's time, then the worker's own, and an operator's over both [L9 L11]", async () => {
    const world = new PlacementWorld();
    const a = holderOf(world, 2);
    world.drains.workerLeaves(a, 0);
    expect(a.take()).toEqual(["leave draining 10000: 1,0"]);
    world.clock.advance(4_000);
    expect(world.drains.graceMsOf("A")).toBe(6_000);
    world.drains.workerLeaves(a, 2_000);
    expect(world.drains.graceMsOf("A")).toBe(2_000);
    const outcome = world.drains.drainWorker("A", { graceMs: 9_000 });
    world.drains.workerLeaves(a, 1);
    expect(world.drains.graceMsOf("A")).toBe(9_000);
    world.leaving.left(a, [world.claimed("0")]);
    world.clock.advance(8_999);
    expect(world.counters.revokedClaims).toBe(0);
    world.clock.advance(1);
    expect(await outcome).toMatchObject({ at: "drained", leftAgents: 1, revokedAgents: 1 });
  });

  it("revokes what is left when the time is over, on the channels that the worker opens later, too [L10]", () => {
    const world = new PlacementWorld();
    const a = holderOf(world, 2);
    const b = world.open("B");
    world.drains.workerLeaves(a, 1_000);
    world.publish("0", "waits");
    a.arrived.length = 0;
    world.clock.advance(1_000);
    world.turns.turns();
    expect(a.take()).toEqual(["leave draining 0: "]);
    expect(b.take()).toEqual(["waits for 0"]);
    expect(world.ended).toEqual(["A"]);
    const newer = world.open("A2", "A");
    expect([a, newer, b].map((channel) => world.placement.isRevoked(channel))).toEqual([true, true, false]);
    world.publish("new", "E");
    expect([newer.take(), b.take()]).toEqual([[], ["E for new"]]);
    // A new run of the process comes with the same id only when all channels of the old one have ended.
    world.end(a);
    world.end(newer);
    expect(world.placement.isRevoked(world.open("A3", "A"))).toBe(false);
  });

  it("passes by the claims of a type that is shared anew", () => {
    const world = new PlacementWorld();
    const a = holderOf(world, 1);
    world.fillTurn();
    world.owners.release("room", "A");
    world.owners.claim("room", "A", { sharing: { placement: undefined, requires: {} } });
    world.drains.workerLeaves(a, 1_000);
    world.turns.turns();
    expect(world.leaving.size).toBe(0);
  });

  it("ends with the worker, and a caller's wait with its signal", async () => {
    const world = new PlacementWorld();
    const a = holderOf(world, 1);
    const abort = new AbortController();
    const given = world.drains.drainWorker("A", { signal: abort.signal });
    const outcome = world.drains.drainWorker("A", {});
    abort.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    await expect(world.drains.drainWorker("A", { signal: abort.signal })).rejects.toThrow("enough");
    world.end(a);
    expect(await outcome).toEqual({ at: "gone", leftAgents: 0 });
    expect(await world.drains.drainWorker("A", {})).toEqual({ at: "unknown" });
    world.drains.close();
    expect(world.clock.pendingTimers).toBe(0);
  });

  it("leaves a stock worker its agents and gives it no new ones", async () => {
    const world = new PlacementWorld();
    const stock = world.open("S", "S", true);
    world.publish("k", "E1");
    const other = world.open("T", "T", true);
    expect(await world.drains.drainWorker("S", {})).toEqual({ at: "keeps-agents" });
    world.publish("k", "E2");
    for (let at = 0; at < 5; at += 1) world.publish(`${at}`, "E");
    expect(stock.take()).toEqual(["E1 for k", "E2 for k"]);
    expect(other.take()).toHaveLength(5);
  });
});
