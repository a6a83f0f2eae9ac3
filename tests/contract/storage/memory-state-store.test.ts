import { describe, expect, it } from "vitest";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { describeStateStore } from "../../../src/testing/contracts/state-store.ts";
import { ManualClock } from "../../../src/testing/index.ts";

describeStateStore("memory", () => new MemoryStateStore(), { describe, it });

describe("memory: bounds", () => {
  const data = { kind: "text", text: "12345" } as const;

  it("refuses a new agent beyond its number of entries, and takes known ones still", async () => {
    const store = new MemoryStateStore({ maxEntries: 1 });
    await store.save({ type: "a", key: "1" }, data, "");
    expect(await store.save({ type: "a", key: "2" }, data, "")).toEqual({ at: "full", limit: "1 agents with a state" });
    expect(await store.save({ type: "a", key: "1" }, data, "")).toMatchObject({ at: "saved" });
  });

  it("counts the bytes that are stored, not those that were", async () => {
    const store = new MemoryStateStore({ maxBytes: 700 });
    for (let count = 0; count < 3; count += 1) {
      expect(await store.save({ type: "a", key: "1" }, data, "")).toMatchObject({ at: "saved" });
    }
    expect(await store.save({ type: "a", key: "2" }, data, "")).toMatchObject({ at: "full" });
    expect((await store.load({ type: "a", key: "1" }))?.data).toEqual(data);
  });

  it("counts the names of its agents, and frees them when a state is deleted", async () => {
    const store = new MemoryStateStore({ maxBytes: 10_000 });
    const key = "k".repeat(4_000);
    expect(await store.save({ type: "a", key }, undefined, "")).toMatchObject({ at: "saved" });
    expect(await store.save({ type: "b", key }, undefined, "")).toMatchObject({ at: "full" });
    await store.delete({ type: "a", key });
    expect(await store.save({ type: "b", key }, undefined, "")).toMatchObject({ at: "saved" });
  });

  it("forgets a state that was not saved again in time, and no other", async () => {
    const clock = new ManualClock();
    const store = new MemoryStateStore({ maxEntries: 2, expireAfterMs: 1_000, clock });
    await store.save({ type: "a", key: "old" }, data, "");
    await store.save({ type: "a", key: "kept" }, data, "");
    clock.advance(600);
    await store.save({ type: "a", key: "kept" }, data, "");
    clock.advance(600);
    expect(await store.load({ type: "a", key: "old" })).toBeUndefined();
    expect((await store.load({ type: "a", key: "kept" }))?.data).toEqual(data);
    expect(await store.save({ type: "a", key: "new" }, data, "")).toMatchObject({ at: "saved" });
  });
});
