import { describe, expect, it } from "vitest";
import { claimLifeMs, MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { describeCoordinationStore } from "../../../src/testing/index.ts";

describeCoordinationStore(
  "memory",
  {
    create: ({ clock }) => new MemoryCoordinationStore({ clock }),
    another: (store) => {
      if (!(store instanceof MemoryCoordinationStore)) throw new Error("It is another store.");
      return store.reopen();
    },
    faults: { letADayPass: (_, clock) => clock.advance(claimLifeMs) },
  },
  { describe, it },
);

describe("memory: bounds", () => {
  const bytes = (length: number) => new Uint8Array(length);

  it("takes no write beyond its limit, and takes it when there is room again", async () => {
    const store = new MemoryCoordinationStore({ maxBytes: 2_000 });
    const first = await store.write("worker.a", bytes(1_000), 0);
    expect(first).toMatchObject({ at: "written" });
    expect(await store.write("worker.b", bytes(1_000), 0)).toEqual({ at: "unknown" });
    expect(await store.read("worker.b")).toBeUndefined();
    expect(await store.write("worker.a", bytes(500), 1)).toMatchObject({ at: "written" });
    expect(await store.write("worker.b", bytes(1_000), 0)).toMatchObject({ at: "written" });
    await store.purge("worker.a");
    expect(await store.write("worker.c", bytes(500), 0)).toMatchObject({ at: "written" });
  });

  it("refuses unknown options", () => {
    // @ts-expect-error: there is no such option
    expect(() => new MemoryCoordinationStore({ maxByte: 1 })).toThrow("maxBytes");
  });
});
