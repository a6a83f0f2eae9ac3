import { describe, expect, test } from "vitest";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { committed, putOf } from "../../../../src/testing/contracts/state-store/store-case.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

const dayMs = 24 * 60 * 60 * 1_000;
const mailbox = { type: "a", key: "k" };

/** A clock whose wall time can be set. */
class SetClock extends ManualClock {
  aheadMs = 0;

  override wallNow(): number {
    return super.wallNow() + this.aheadMs;
  }
}

/** A store in memory, and a way to tell messages that are handled at once. */
async function startStore(maxBytes: number) {
  const clock = new SetClock(dayMs);
  const store = new MemoryStateStore({ clock, maxBytes });
  await store.open();
  let told = 0;
  const tell = async (id = `${++told}`) => {
    const message = { id, kind: "call", frame: new Uint8Array(100), sentAtMs: clock.wallNow() } as const;
    const kept = await store.log.append(mailbox, message);
    for (const { place } of await store.mail({ limit: 10 })) {
      await store.settle({ ticks: [], mail: [{ place, nextMs: undefined, attempts: 0 }] });
    }
    return kept;
  };
  return { clock, store, tell };
}

describe("a store in memory that is told many messages", () => {
  test("takes each of them, and states too, though the ids of 10 minutes have no space", async () => {
    const { store, tell } = await startStore(64 * 1024);
    for (let count = 0; count < 2_000; count += 1) expect(await tell()).toBe("kept");
    await committed(store, putOf("x".repeat(32 * 1024)));
    expect(await tell("2000")).toBe("known");
    expect(await tell("1")).toBe("kept");
  });

  test.each([1, 400])(
    "knows the ids of 10 minutes, and no others, when the wall clock is set back by %i days",
    async (days) => {
      const { clock, tell } = await startStore(1024 * 1024);
      clock.aheadMs = days * dayMs;
      await tell("x");
      clock.aheadMs = 0;
      expect(await tell("x")).toBe("known");
      clock.advance(600_000);
      expect(await tell("x")).toBe("kept");
    },
  );
});
