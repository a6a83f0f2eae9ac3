import { expect, test } from "vitest";
import { firstOf } from "../../../../src/core/collections/first-of.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { commitOf, committed, putOf } from "../../../../src/testing/contracts/state-store/store-case.ts";
import { seededRandom } from "../../../../src/testing/seeded-random.ts";

test("the first of many items are those of a sorted list, equal ones in their order", () => {
  const { next } = seededRandom(1);
  for (const count of [0, 1, 2, 10, 1_000]) {
    const items = Array.from({ length: count }, (_, at) => ({ at, value: Math.floor(next() * 50) }));
    const sorted = [...items].sort((a, b) => a.value - b.value);
    for (const limit of [0, 1, 7, 1_000]) {
      expect(firstOf(items, limit, (a, b) => a.value - b.value)).toEqual(sorted.slice(0, limit));
    }
  }
});

test("finding the first 100 of 100,000 takes little more than one comparison of each", () => {
  const { next } = seededRandom(2);
  const items = Array.from({ length: 100_000 }, next);
  let compared = 0;
  firstOf(items, 100, (a, b) => {
    compared += 1;
    return a - b;
  });
  expect(compared).toBeLessThan(110_000);
});

test("a page of 10,000 agents or reminders in memory is read without sorting all of them", async () => {
  const store = new MemoryStateStore();
  await store.open();
  const { next } = seededRandom(3);
  const keys: string[] = [];
  for (let count = 0; count < 10_000; count += 1) {
    const key = `${next()}`;
    keys.push(key);
    await committed(store, putOf("x", { agent: { type: "a", key } }));
    const reminder = {
      at: "set",
      name: "one",
      dueMs: Math.floor(next() * 1e9),
      rule: "",
      message: new Uint8Array(),
    } as const;
    await committed(store, commitOf({ agent: { type: "a", key }, reminders: [reminder] }));
  }
  // Each comparison of two names reads their types.
  let read = 0;
  const { charCodeAt } = String.prototype;
  String.prototype.charCodeAt = function (at) {
    read += 1;
    return charCodeAt.call(this, at);
  };
  try {
    const { records } = await store.list({ limit: 100, after: { type: "a", key: "" } });
    expect(records.map(({ agent }) => agent.key)).toEqual([...keys].sort().slice(0, 100));
  } finally {
    String.prototype.charCodeAt = charCodeAt;
  }
  expect(read).toBeLessThan(10_000 * 20);
});
