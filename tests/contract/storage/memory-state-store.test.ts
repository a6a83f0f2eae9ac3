import { describe, expect, it } from "vitest";
import { MemoryStateStore } from "../../../src/core/internal.ts";
import {
  bytesOf,
  commitOf,
  commitOne,
  loaded,
  putOf,
  reminderAt,
  textOf,
} from "../../../src/testing/contracts/state-store/store-case.ts";
import { describeStateStore } from "../../../src/testing/contracts/state-store.ts";
import { ManualClock } from "../../../src/testing/index.ts";

describeStateStore(
  "memory",
  {
    create: ({ clock, mail }) => new MemoryStateStore({ clock, ...mail }),
    reopen: (store) => {
      if (!(store instanceof MemoryStateStore)) throw new Error("It is another store.");
      return store.reopen();
    },
  },
  { describe, it },
);

async function opened(options: ConstructorParameters<typeof MemoryStateStore>[0]): Promise<MemoryStateStore> {
  const store = new MemoryStateStore(options);
  await store.open();
  return store;
}

const ofKey = (key: string) => ({ agent: { type: "a", key } });

describe("memory: holders", () => {
  it("are one at a time, unless one takes the memory over, which the one before notices", async () => {
    const first = await opened({});
    const second = first.reopen();
    await expect(second.open()).rejects.toMatchObject({ storeCode: "in-use" });
    await second.open({ takesOver: true });
    await expect(first.commit([putOf("late", ofKey("1"))])).rejects.toMatchObject({ storeCode: "fenced" });
    await first.close();
    await expect(second.reopen().open()).rejects.toMatchObject({ storeCode: "in-use" });
    await second.close();
    await second.reopen().open();
  });
});

describe("memory: bounds", () => {
  it("lists 10,000 agents at most, whatever is asked for", async () => {
    const store = await opened({});
    await store.commit(Array.from({ length: 10_001 }, (_, index) => putOf("", ofKey(String(index)))));
    const { records, isLast } = await store.list({ limit: 20_000 });
    expect([records.length, isLast]).toEqual([10_000, false]);
  });

  it("refuses a new agent beyond its number of entries, and takes known ones still", async () => {
    const store = await opened({ maxEntries: 1 });
    await commitOne(store, putOf("12345", ofKey("1")));
    const limit = "1 agents with a state";
    expect(await commitOne(store, putOf("12345", ofKey("2")))).toEqual({ at: "refused", limit });
    expect(await commitOne(store, putOf("12345", ofKey("1")))).toMatchObject({ at: "committed" });
  });

  it("counts the bytes that are stored, not those that were", async () => {
    const store = await opened({ maxBytes: 1_100 });
    for (let count = 0; count < 3; count += 1) {
      expect(await commitOne(store, putOf("12345", ofKey("1")))).toMatchObject({ at: "committed" });
    }
    expect(await commitOne(store, putOf("12345", ofKey("2")))).toMatchObject({ at: "refused" });
    expect(await store.load({ type: "a", key: "1" })).toMatchObject({ data: bytesOf("12345") });
  });

  it("counts names, reminders, mail and remembered messages, and frees each when it goes", async () => {
    const clock = new ManualClock();
    const store = await opened({ maxBytes: 10_000, maxMailBytes: 20_000, clock });
    const key = "k".repeat(4_000);
    const parts = [
      putOf("", ofKey(key)),
      commitOf({ ...ofKey("1"), reminders: [{ ...reminderAt("r", 1), message: new Uint8Array(8_000) }] }),
      commitOf({ ...ofKey("1"), remembered: [{ id: "1", principal: "", answer: new Uint8Array(8_000) }] }),
      commitOf({
        ...ofKey("2"),
        mail: [{ id: "1", receiver: ofKey("1").agent, kind: "call", frame: new Uint8Array(8_000) }],
      }),
    ];
    for (const part of parts) {
      expect(await commitOne(store, part)).toMatchObject({ at: "committed" });
      for (const other of parts) {
        if (other !== part) expect(await commitOne(store, other)).toMatchObject({ at: "refused" });
      }
      // The mail was sent to the agent with the key 1.
      for (const gone of [key, "1"]) await commitOne(store, commitOf({ ...ofKey(gone), write: { at: "delete" } }));
    }
    expect(await commitOne(store, putOf("", ofKey(key)))).toMatchObject({ at: "committed" });
  });

  it("frees what is settled or cancelled", async () => {
    const store = await opened({ maxBytes: 10_000, maxMailBytes: 20_000 });
    const mail = [{ id: "1", receiver: ofKey("1").agent, kind: "call", frame: new Uint8Array(8_000) } as const];
    const reminder = { ...reminderAt("r", 1), message: new Uint8Array(8_000) };
    for (let count = 0; count < 3; count += 1) {
      expect(await commitOne(store, commitOf({ ...ofKey("2"), mail }))).toMatchObject({ at: "committed" });
      const [kept] = await store.mail({ limit: 1 });
      await store.settle({ ticks: [], mail: [{ place: kept?.place ?? 0, nextMs: undefined, attempts: 1 }] });
      expect(await commitOne(store, commitOf({ ...ofKey("1"), reminders: [reminder] }))).toMatchObject({
        at: "committed",
      });
      const cancel = [{ at: "cancel", name: "r" } as const];
      await commitOne(store, commitOf({ ...ofKey("1"), reminders: cancel }));
    }
  });

  it("forgets a state that was not saved again in time, and no other", async () => {
    const clock = new ManualClock();
    const store = await opened({ maxEntries: 2, expireAfterMs: 1_000, clock });
    await commitOne(store, putOf("12345", ofKey("old")));
    await commitOne(store, putOf("12345", ofKey("kept")));
    clock.advance(600);
    await commitOne(store, putOf("12345", ofKey("kept")));
    clock.advance(600);
    expect(await store.load({ type: "a", key: "old" })).toBeUndefined();
    expect(await store.load({ type: "a", key: "kept" })).toMatchObject({ data: bytesOf("12345") });
    expect(await commitOne(store, putOf("12345", ofKey("new")))).toMatchObject({ at: "committed" });
  });
});

it("lets others have turns of the event loop while it writes a commit with 5,000 messages, and shows them the commit whole", async () => {
  const store = new MemoryStateStore();
  await store.open();
  const frame = new Uint8Array(100).fill(1);
  const mailOf = (key: number) => ({ id: "1", receiver: { type: "a", key: `${key}` }, kind: "event" as const, frame });
  const mail = Array.from({ length: 5_000 }, (_, key) => ({ ...mailOf(key), isOnce: true, whenFull: "bury" as const }));
  let turns = 0;
  let isOver = false;
  const counted = (async () => {
    for (; !isOver; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  })();
  const written = store.commit([putOf("x", { mail })]);
  const next = store.commit([putOf("y", { mail: [mailOf(5_000)] })]);
  const appended = store.log.append({ type: "b", key: "1" }, { ...mailOf(1), sentAtMs: 1 });
  // Each store copies what it is given before the call returns.
  frame.fill(9);
  const seen: (readonly [number, string])[] = [];
  for (let at = 0; at < 5; at += 1) {
    seen.push([(await store.stats()).mail, textOf((await loaded(store)).data)]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await written)[0]).toMatchObject({ at: "committed", revision: 1 });
  expect((await next)[0]).toMatchObject({ at: "committed", revision: 2 });
  expect(await appended).toBe("kept");
  isOver = true;
  await counted;
  // Three times 5,000 messages go in slices of 256: what their mailboxes know, their sizes, and the writing itself.
  expect(turns).toBeGreaterThan(40);
  expect(seen[0]?.[0]).toBeGreaterThanOrEqual(5_000);
  expect(seen.at(-1)).toEqual([5_002, "y"]);
  const kept = await store.mail({ limit: 10_000 });
  expect(kept.every(({ frame: bytes }) => bytes.length === 100 && bytes.every((byte) => byte === 1))).toBe(true);
  const again = await store.commit([putOf("z", { mail })]);
  expect(again).toMatchObject([{ at: "committed", knownMail: mail.map((_, index) => index) }]);
});
