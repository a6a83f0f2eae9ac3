import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { mailBoundsOf } from "../../../../src/core/internal.ts";
import { AskQueue } from "../../../../src/storage/sqlite/ask-queue.ts";
import type { Ask, Reply } from "../../../../src/storage/sqlite/asks.ts";
import { loadDriver } from "../../../../src/storage/sqlite/driver.ts";
import { openSqliteStoreWith } from "../../../../src/storage/sqlite/open-sqlite-store.ts";
import { StateDatabase } from "../../../../src/storage/sqlite/state-database.ts";
import { putOf } from "../../../../src/testing/contracts/state-store/store-case.ts";
import { newFolder, sqliteThreadFile } from "../../../support/sqlite-stores.ts";

const MiB = 1024 * 1024;
const agent = { type: "a", key: "k" };

/** A queue at a database in memory, and the replies of which it waits until the test takes them. */
async function openQueue() {
  const database = new StateDatabase(await loadDriver(), {
    ...{ file: ":memory:", readOnly: false, synchronous: "normal", maxValueBytes: 16 * MiB, mail: mailBoundsOf({}) },
    ...{
      maxFileBytes: Number.POSITIVE_INFINITY,
      checksOnOpen: false,
      busyTimeoutMs: 10,
      heldIncarnation: 0,
      storeId: "1",
    },
  });
  onTestFinished(() => void database.close());
  const replies: (readonly Reply[])[] = [];
  const reply = (some: readonly Reply[]): number => replies.push(some);
  const queue = new AskQueue({ database, file: "store.db", reply, drain: () => undefined });
  const ask = (asks: readonly Ask[]): readonly (readonly Reply[])[] => {
    queue.add(asks);
    queue.run();
    return replies.splice(0);
  };
  const goOn = (): readonly (readonly Reply[])[] => {
    queue.resume();
    queue.run();
    return replies.splice(0);
  };
  ask([{ kind: "open", id: 1, bytes: 0, takesOver: false, nowMs: 1 }]);
  return { ask, goOn };
}

const commitAsk = (id: number, text: string): Ask => {
  return { kind: "commit", id, bytes: text.length, nowMs: 1, commits: [putOf(text, { agent })] };
};
const loadAsk = (id: number): Ask => {
  return { kind: "load", id, bytes: 100, agent, unless: undefined, maxBytes: 16 * MiB };
};
const idsOf = (replies: readonly (readonly Reply[])[]) => replies.map((some) => some.map(({ id }) => id));

test("100 large states that are read at once go to a store in parts of 4 MiB, as it takes them", async () => {
  const { ask, goOn } = await openQueue();
  ask([commitAsk(2, "x".repeat(MiB))]);
  const loads = Array.from({ length: 100 }, (_, index) => loadAsk(100 + index));
  const parts: (readonly number[])[] = [];
  for (let some = idsOf(ask(loads)); some.length > 0; some = idsOf(goOn())) {
    expect(some.length).toBe(1);
    parts.push(...some);
  }
  expect(Math.max(...parts.map((ids) => ids.length))).toBe(4);
  expect(parts.flat()).toEqual(loads.map(({ id }) => id));
});

test("reads that wait for the store are answered before a later write, and see what was there", async () => {
  const { ask, goOn } = await openQueue();
  ask([commitAsk(2, "x".repeat(5 * MiB))]);
  expect(idsOf(ask([commitAsk(3, "y".repeat(5 * MiB)), loadAsk(4), loadAsk(5)]))).toEqual([[3, 4]]);
  expect(ask([commitAsk(6, "z"), loadAsk(7)])).toEqual([]);
  const [second, ...others] = goOn();
  expect(second).toMatchObject([{ id: 5, value: { revision: 2 } }]);
  expect(others).toEqual([]);
  expect(goOn().flat()).toMatchObject([{ id: 6 }, { id: 7, value: { revision: 3 } }]);
});

test.each([true, false])("a store with thread: %s answers all of 30 reads of large states", async (thread) => {
  const store = await openSqliteStoreWith(
    join(newFolder(), "store.db"),
    { thread, synchronous: "normal" },
    { threadFile: await sqliteThreadFile() },
  );
  onTestFinished(() => store.close());
  await store.open();
  await store.commit([putOf("x".repeat(MiB), { agent })]);
  const loaded = await Promise.all(Array.from({ length: 30 }, () => store.load(agent)));
  expect(new Set(loaded.map((record) => typeof record === "object" && record.data.length))).toEqual(new Set([MiB]));
  await store.commit([putOf("y", { agent })]);
});
