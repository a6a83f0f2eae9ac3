import { deepEqual, equal, ok } from "node:assert/strict";
import { StoreError } from "../../../core/internal.ts";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  loaded,
  putOf,
  rejectsAs,
  reminderAt,
  type StoreCase,
  textOf,
} from "./store-case.ts";

function epochOf(generation: number, era: number, number: number) {
  return { epoch: { generation, era, number } };
}

/** The right to write: epochs, openings, and the end of a store. */
export const openingCases: readonly StoreCase[] = [
  {
    promise: "refuses a commit whose epoch is older than the stored one",
    tryIt: async (lab) => {
      const store = await lab.open();
      const rising = [epochOf(1, 0, 0), epochOf(1, 0, 2), epochOf(1, 1, 0), epochOf(1, 1, 1), epochOf(2, 0, 0)];
      for (const [index, parts] of rising.entries()) {
        await committed(store, putOf(String(index), parts));
        await committed(store, putOf(String(index), parts));
        deepEqual((await loaded(store)).epoch, parts.epoch);
        for (const older of rising.slice(0, index)) {
          const reminders = [reminderAt("r", 1)];
          deepEqual(await commitOne(store, putOf("late", { ...older, reminders })), { at: "stale", ...parts });
          deepEqual(await commitOne(store, commitOf({ ...older, write: { at: "delete" } })), { at: "stale", ...parts });
        }
        equal(textOf((await loaded(store)).data), String(index));
      }
      deepEqual(await store.reminders(agent), []);
    },
  },
  {
    promise: "says stale, not conflict, when the eTag is another one too",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("1", epochOf(2, 0, 0)));
      const late = putOf("2", { ...epochOf(1, 9, 9), expected: { at: "version", eTag: "old" } });
      deepEqual(await commitOne(store, late), { at: "stale", ...epochOf(2, 0, 0) });
    },
  },
  {
    promise: "takes a commit without an epoch, and keeps the stored one",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("1", epochOf(5, 0, 1)));
      await committed(store, putOf("2"));
      deepEqual((await loaded(store)).epoch, epochOf(5, 0, 1).epoch);
      equal((await commitOne(store, putOf("3", epochOf(4, 0, 0)))).at, "stale");
    },
  },
  {
    promise: "stores the epoch of a commit that writes no state",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("1", epochOf(1, 0, 0)));
      await committed(store, commitOf(epochOf(1, 0, 1)));
      equal((await commitOne(store, putOf("late", epochOf(1, 0, 0)))).at, "stale");
      deepEqual((await loaded(store)).epoch, epochOf(1, 0, 1).epoch);
    },
  },
  {
    promise: "takes no commit of an older epoch after an empty one, also for an agent without a record, if many write",
    tryIt: async (lab) => {
      const store = await lab.open();
      if (store.writers === "one") return;
      await committed(store, commitOf(epochOf(1, 0, 2)));
      equal(await store.load(agent), undefined);
      equal((await commitOne(store, putOf("late", epochOf(1, 0, 1)))).at, "stale");
      equal((await commitOne(store, commitOf({ ...epochOf(1, 0, 1), reminders: [reminderAt("r", 1)] }))).at, "stale");
      await committed(store, putOf("1", epochOf(1, 0, 2)));
      deepEqual((await loaded(store)).epoch, epochOf(1, 0, 2).epoch);
    },
  },
  {
    promise: "numbers its openings upwards, from the time and from the newest epoch that it holds",
    tryIt: async (lab) => {
      const store = await lab.create();
      const seconds = Math.floor(lab.clock.wallNow() / 1_000);
      const first = await store.open();
      deepEqual(first, { incarnation: seconds, newestGeneration: 0 });
      await store.close();
      const second = await lab.another(store);
      // Where many write, the epochs of commits have generations of their own.
      const newestGeneration = second.writers === "many" ? 0 : seconds;
      deepEqual(await second.open(), { incarnation: seconds + 1, newestGeneration });
      await committed(second, putOf("1", epochOf(seconds + 1_000, 0, 0)));
      await second.close();
      const third = await lab.another(second);
      deepEqual(await third.open(), { incarnation: seconds + 1_001, newestGeneration: seconds + 1_000 });
    },
  },
  {
    promise: "refuses what an opening writes after another has taken the store over, if one writes at a time",
    tryIt: async (lab) => {
      const old = await lab.open();
      if (old.writers === "many") return;
      await committed(old, putOf("old", { reminders: [reminderAt("r", 1)] }));
      const [reminder] = await old.reminders(agent);
      ok(reminder !== undefined);
      const young = await lab.another(old);
      await young.open({ takesOver: true });
      await committed(young, putOf("young"));
      await rejectsAs(old.commit([putOf("late")]), "fenced");
      const tick = { agent, name: "r", seq: reminder.seq, nextDueMs: undefined, attempts: 1 };
      await rejectsAs(old.settle({ ticks: [tick], mail: [] }), "fenced");
      await rejectsAs(
        old.commit([commitOf({ mail: [{ id: "1", receiver: agent, kind: "call", frame: bytesOf("x") }] })]),
        "fenced",
      );
      equal(textOf((await loaded(young)).data), "young");
      equal((await young.reminders(agent)).length, 1);
      deepEqual(await young.mail({ limit: 1 }), []);
      await committed(young, putOf("younger"));
    },
  },
  {
    promise: "refuses what waited in an opening when another took the store over, if one writes at a time",
    tryIt: async (lab) => {
      const old = await lab.open();
      if (old.writers === "many") return;
      await committed(old, putOf("old"));
      const young = await lab.another(old);
      const waiting = Array.from({ length: 20 }, (_, index) =>
        old.commit([putOf(String(index), { agent: { type: "waits", key: String(index) } })]),
      );
      const opening = young.open({ takesOver: true });
      const results = await Promise.allSettled(waiting);
      await opening;
      for (const [index, result] of results.entries()) {
        const stored = await young.load({ type: "waits", key: String(index) });
        if (result.status === "fulfilled") equal(result.value[0]?.at, "committed");
        else await rejectsAs(Promise.reject(result.reason), "fenced");
        equal(stored !== undefined, result.status === "fulfilled");
      }
      await rejectsAs(old.commit([putOf("late")]), "fenced");
    },
  },
  {
    promise: "is taken from a holder that lives or is in use, without takesOver, if one writes at a time",
    tryIt: async (lab) => {
      const holder = await lab.open();
      if (holder.writers === "many") return;
      const other = await lab.another(holder);
      const error: unknown = await other.open().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) {
        await committed(other, putOf("other"));
        return rejectsAs(holder.commit([putOf("holder")]), "fenced");
      }
      ok(error instanceof StoreError);
      equal(error.storeCode, "in-use");
      await committed(holder, putOf("holder"));
      await holder.close();
      await other.open();
      await committed(other, putOf("other"));
    },
  },
  {
    promise: "does what was asked before it was closed, and refuses what is asked later",
    tryIt: async (lab) => {
      const store = await lab.open();
      const asked = Array.from({ length: 30 }, (_, index) =>
        store.commit([putOf("x", { agent: { type: "a", key: String(index) } })]),
      );
      const list = store.list();
      const closing = store.close();
      for (const [outcome] of await Promise.all(asked)) equal(outcome?.at, "committed");
      await list;
      await closing;
      await rejectsAs(store.load(agent), "closed");
      await rejectsAs(store.commit([putOf("late")]), "closed");
      await rejectsAs(store.settle({ ticks: [], mail: [] }), "closed");
      await rejectsAs(store.list(), "closed");
      await rejectsAs(store.remembered(agent, "1", ""), "closed");
      await rejectsAs(store.reminders(agent), "closed");
      await rejectsAs(store.due({ beforeMs: 1, limit: 1 }), "closed");
      await rejectsAs(store.mail({ limit: 1 }), "closed");
      await rejectsAs(store.stats(), "closed");
      await rejectsAs(store.open(), "closed");
      await store.close();
      const again = await lab.another(store);
      await again.open();
      equal((await again.list()).records.length, 30);
    },
  },
  {
    promise: "is closed by disposing it, whether it was opened or not",
    tryIt: async (lab) => {
      const store = await lab.open();
      await store[Symbol.asyncDispose]();
      await rejectsAs(store.load(agent), "closed");
      const unopened = await lab.another(store);
      await unopened[Symbol.asyncDispose]();
      await rejectsAs(unopened.load(agent), "closed");
      await (await lab.another(store)).open();
    },
  },
  {
    promise: "lets two openings write, if many write at a time; each sees the commits of the other",
    tryIt: async (lab) => {
      const first = await lab.open();
      ok(first.writers === "one" || first.writers === "many");
      if (first.writers === "one") return;
      const second = await lab.another(first);
      await second.open();
      const { eTag } = await committed(first, putOf("1", epochOf(1, 0, 1)));
      await committed(second, putOf("2", { ...epochOf(1, 0, 2), expected: { at: "version", eTag } }));
      equal(textOf((await loaded(first)).data), "2");
      deepEqual(await commitOne(first, putOf("3", epochOf(1, 0, 1))), { at: "stale", ...epochOf(1, 0, 2) });
    },
  },
];
