import { describe, expect, it } from "vitest";
import { AgentMove } from "../../../src/cluster/claims/agent-move.ts";
import { ClaimWrites } from "../../../src/cluster/claims/claim-writes.ts";
import { type HeldClaim, HeldClaimsMap } from "../../../src/cluster/claims/held-claims.ts";
import { defaultTimes } from "../../../src/cluster/cluster-times.ts";
import { type CoordinationStore, MemoryCoordinationStore, type WriteOutcome } from "../../../src/cluster/index.ts";
import { createClusterCounters, type Life } from "../../../src/cluster/life.ts";
import { LifeStore } from "../../../src/cluster/life-store.ts";

function lifeOver(store: CoordinationStore): Life {
  return {
    ...{
      hostId: "h",
      store: new LifeStore(
        store,
        () => undefined,
        () => undefined,
      ),
      times: defaultTimes,
      counters: createClusterCounters(),
    },
    ...{ makeId: () => "id", now: () => 0, monotonicNow: () => 0, isServing: () => true, leaseLeftMs: () => 1 },
    ...{ generation: () => 1, isOver: () => false, announce: () => undefined, pause: () => Promise.resolve() },
  };
}

const agent = { type: "writer", key: "7" };
const wanted = { agent, workerId: "one", era: 1 };
const alive = () => Promise.resolve(false);
const go = () => true;

/** Answers a write with a conflict, although it has happened: its first answer was lost, and it was sent again. */
function losing(store: CoordinationStore): CoordinationStore {
  return {
    read: (key) => store.read(key),
    watch: (prefix, watcher) => store.watch(prefix, watcher),
    purge: (...given) => store.purge(...given),
    announce: (bytes) => store.announce(bytes),
    onAnnouncement: (listener) => store.onAnnouncement(listener),
    close: () => store.close(),
    write: async (key, value, expected): Promise<WriteOutcome> => {
      await store.write(key, value, expected);
      return store.write(key, value, expected);
    },
  };
}

describe("a claim", () => {
  it("is given when the answer to its write was lost and the conflict shows that very write", async () => {
    const memory = new MemoryCoordinationStore();
    const first = await new ClaimWrites(lifeOver(memory), alive).claim(wanted, undefined, go);
    if (first.at !== "written") throw new Error(first.at);
    const writes = new ClaimWrites(lifeOver(losing(memory)), alive);
    expect(await writes.give(wanted, first, "two")).toBe("given");
    expect(await writes.give(wanted, first, "three")).toBe("lost");
  });

  it("is written once more, not taken for another's, when the answer to its write was lost", async () => {
    const memory = new MemoryCoordinationStore();
    await new ClaimWrites(lifeOver(losing(memory)), alive).claim(wanted, undefined, go);
    const again = await new ClaimWrites(lifeOver(memory), alive).claim(wanted, undefined, go);
    expect(again).toMatchObject({ at: "written", epoch: { generation: 1, era: 1, number: 1 } });
  });

  it("of a live worker stays, and that of a gone one goes to the next with a larger epoch", async () => {
    const memory = new MemoryCoordinationStore();
    await new ClaimWrites(lifeOver(memory), alive).claim(wanted, undefined, go);
    const other = { ...wanted, workerId: "two" };
    const refused = await new ClaimWrites(lifeOver(memory), alive).claim(other, undefined, go);
    expect(refused).toMatchObject({ at: "elsewhere", workerId: "one" });
    const taken = await new ClaimWrites(lifeOver(memory), () => Promise.resolve(true)).claim(other, undefined, go);
    expect(taken).toMatchObject({ at: "written", epoch: { generation: 1, era: 1, number: 2 } });
    const unanswered = new ClaimWrites(lifeOver(memory), () => Promise.resolve("unknown"));
    expect(await unanswered.claim(wanted, undefined, go)).toMatchObject({ at: "unknown" });
  });

  it("keeps its epoch when it is refreshed, until the store has begun a new generation", async () => {
    const memory = new MemoryCoordinationStore();
    const first = await new ClaimWrites(lifeOver(memory), alive).claim(wanted, undefined, go);
    if (first.at !== "written") throw new Error(first.at);
    const second = await new ClaimWrites(lifeOver(memory), alive).claim(wanted, first, go);
    if (second.at !== "written") throw new Error(second.at);
    expect(second.epoch).toEqual(first.epoch);
    const later = new ClaimWrites({ ...lifeOver(memory), generation: () => 2 }, alive);
    const third = await later.claim(wanted, second, go);
    expect(third).toMatchObject({ at: "written", epoch: { generation: 2, era: 1, number: 3 } });
  });
});

describe("a frozen agent", () => {
  const moveWith = (give: () => Promise<"given">) => {
    const steps: string[] = [];
    const move = new AgentMove({ give, sleep: () => steps.push("sleep"), thaw: () => steps.push("thaw") });
    return { move, steps };
  };

  it("does not thaw while it is being given", async () => {
    let written: () => void = () => undefined;
    const { move, steps } = moveWith(() => new Promise((resolve) => (written = () => resolve("given"))));
    const giving = move.give("two");
    expect(move.thaw()).toBe(false);
    expect(move.sleep()).toBe(false);
    expect(steps).toEqual([]);
    written();
    expect(await giving).toBe("given");
    expect(steps).toEqual(["thaw"]);
  });

  it("is not given by a worker that lets it go after it has thawed", async () => {
    const { move } = moveWith(() => Promise.reject(new Error("written")));
    expect(move.thaw()).toBe(true);
    expect(await move.give("two")).toBe("lost");
  });
});

describe("held claims", () => {
  const claimOf = (key: string, workerId = "one"): HeldClaim => ({
    ...{ agent: { type: "writer", key }, workerId, session: 1, epoch: { generation: 1, era: 1, number: 1 } },
    ...{ revision: 1, usableUntilMs: 1, refreshMs: 1, isAsleep: false },
  });

  it("have room for so many and no more, and for those that are there", () => {
    const held = new HeldClaimsMap({ maxClaims: 2 });
    held.set(claimOf("1"));
    held.set(claimOf("2"));
    expect([held.hasRoomFor({ type: "writer", key: "3" }), held.hasRoomFor({ type: "writer", key: "1" })]).toEqual([
      false,
      true,
    ]);
    held.delete({ type: "writer", key: "1" });
    expect(held.hasRoomFor({ type: "writer", key: "3" })).toBe(true);
  });

  it("have room for so many bytes, counted until they go", () => {
    const held = new HeldClaimsMap({ maxBytes: 2_000 });
    const key = "k".repeat(300);
    held.set(claimOf(key));
    held.set(claimOf(key));
    expect(held.hasRoomFor({ type: "writer", key: `${key}2` })).toBe(false);
    held.deleteOf("one");
    expect([held.size, held.hasRoomFor({ type: "writer", key: `${key}2` })]).toEqual([0, true]);
  });

  it("are all looked at in turn, and again from the first", () => {
    const held = new HeldClaimsMap();
    for (const key of ["1", "2", "3"]) held.set(claimOf(key));
    const keys = (count: number) => held.next(count).map(({ agent: { key } }) => key);
    expect([keys(2), keys(2), keys(2)]).toEqual([["1", "2"], ["3"], ["1", "2"]]);
  });

  it("are found by their worker", () => {
    const held = new HeldClaimsMap();
    held.set(claimOf("1"));
    held.set(claimOf("1", "two"));
    held.set(claimOf("2"));
    expect([held.of("one").map(({ agent: { key } }) => key), held.of("two").length]).toEqual([["2"], 1]);
  });
});
