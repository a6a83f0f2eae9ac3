import { describe, expect, it } from "vitest";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { describeStateStore } from "../../../src/testing/contracts/state-store.ts";

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
    const store = new MemoryStateStore({ maxBytes: 10 });
    for (let count = 0; count < 3; count += 1) {
      expect(await store.save({ type: "a", key: "1" }, data, "")).toMatchObject({ at: "saved" });
    }
    expect(await store.save({ type: "a", key: "2" }, data, "")).toMatchObject({ at: "full" });
    expect((await store.load({ type: "a", key: "1" }))?.data).toEqual(data);
  });
});
