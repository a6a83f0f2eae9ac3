import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { coordinationLimits } from "../../../cluster/index.ts";
import { assertConflict, assertHas, bytesOf, type CoordinationCase, textOf, written } from "./coordination-case.ts";

/** Writes, reads and purges. */
export const writeCases: readonly CoordinationCase[] = [
  {
    promise: "creates a key once, and tells the loser what is there",
    tryIt: async (lab) => {
      const one = await lab.create();
      const other = await lab.another(one);
      const revision = await written(one, "worker.a", "one");
      const outcome = await other.write("worker.a", bytesOf("other"), 0);
      assertConflict(outcome, "one");
      if (outcome.at === "conflict") equal(outcome.found?.revision, revision);
      await assertHas(other, "worker.a", "one", revision);
    },
  },
  {
    promise: "writes on the revision that the writer names, and on no other",
    tryIt: async (lab) => {
      const store = await lab.create();
      const first = await written(store, "worker.a", "1");
      const second = await written(store, "worker.a", "2", first);
      ok(second > first);
      assertConflict(await store.write("worker.a", bytesOf("3"), first), "2");
      assertConflict(await store.write("worker.a", bytesOf("3"), second + 1), "2");
      await assertHas(store, "worker.a", "2", second);
    },
  },
  {
    promise: "says that there is no such key to a writer that expects one",
    tryIt: async (lab) => {
      const store = await lab.create();
      assertConflict(await store.write("worker.a", bytesOf("1"), 7), undefined);
      equal(await store.read("worker.a", { fresh: true }), undefined);
      equal(await store.read("worker.a"), undefined);
    },
  },
  {
    promise: "lets one of 200 racing writes win, for each of several keys",
    tryIt: async (lab) => {
      const stores = [await lab.create()];
      for (let count = 1; count < 4; count += 1) stores.push(await lab.another(stores[0] as (typeof stores)[0]));
      for (const key of ["worker.a", "claim.a.b", "host.c"]) {
        const races = Array.from({ length: 200 }, (_, index) => {
          const store = stores[index % stores.length] as (typeof stores)[0];
          return store.write(key, bytesOf(String(index)), 0);
        });
        const outcomes = await Promise.all(races);
        const winners = outcomes.flatMap(({ at }, index) => (at === "written" ? [index] : []));
        deepEqual([key, winners.length], [key, 1]);
        for (const outcome of outcomes) if (outcome.at !== "written") assertConflict(outcome, String(winners[0]));
      }
    },
  },
  {
    promise: "gives rising revisions to a key, also after a purge",
    tryIt: async (lab) => {
      const store = await lab.create();
      let last = 0;
      for (let count = 0; count < 3; count += 1) {
        const first = await written(store, "worker.a", "1");
        const second = await written(store, "worker.a", "2", first);
        ok(last < first && first < second);
        last = second;
        await store.purge("worker.a");
        equal(await store.read("worker.a", { fresh: true }), undefined);
      }
    },
  },
  {
    promise: "purges a key up to a revision, and no later write",
    tryIt: async (lab) => {
      const store = await lab.create();
      const first = await written(store, "type.a", "1");
      const second = await written(store, "type.a", "2", first);
      await store.purge("type.a", first);
      await assertHas(store, "type.a", "2", second);
      await store.purge("type.a", second);
      equal(await store.read("type.a", { fresh: true }), undefined);
    },
  },
  {
    promise: "purges one key, and not those that begin with it",
    tryIt: async (lab) => {
      const store = await lab.create();
      await written(store, "worker.a", "1");
      const longer = await written(store, "worker.ab", "2");
      const below = await written(store, "worker.a.b", "3");
      await store.purge("worker.a");
      await store.purge("worker.never-written");
      equal(await store.read("worker.a", { fresh: true }), undefined);
      await assertHas(store, "worker.ab", "2", longer);
      await assertHas(store, "worker.a.b", "3", below);
    },
  },
  {
    promise: "keeps empty values, values of 64 KiB, and keys of all characters and lengths that it takes",
    tryIt: async (lab) => {
      const store = await lab.create();
      const empty = await written(store, "worker.a", "");
      await assertHas(store, "worker.a", "", empty);
      const long = "x".repeat(coordinationLimits.maxValueBytes);
      await assertHas(store, "worker.long", long, await written(store, "worker.long", long));
      const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ.abcdefghijklmnopqrstuvwxyz.0123456789.-._.=.=-_";
      const keys = [letters, "a", "worker.A", "type.=ZS7DqQ", `type.${"k".repeat(coordinationLimits.maxKeyChars - 5)}`];
      for (const key of keys) await assertHas(store, key, key, await written(store, key, key));
    },
  },
  {
    promise: "keeps what was given, whatever the writer and the reader do to their bytes",
    tryIt: async (lab) => {
      const store = await lab.create();
      // A slice of a Buffer shares its memory.
      for (const value of [bytesOf("one"), Buffer.from("one")]) {
        const key = value instanceof Buffer ? "worker.b" : "worker.a";
        const writing = store.write(key, value, 0);
        value.fill(0);
        equal((await writing).at, "written");
        for (let count = 0; count < 2; count += 1) {
          const found = await store.read(key, { fresh: true });
          ok(found !== undefined && found !== "unknown");
          equal(textOf(found.value), "one");
          found.value.fill(0);
        }
      }
    },
  },
  {
    promise: "refuses keys, values, revisions and prefixes that are not allowed",
    tryIt: async (lab) => {
      const store = await lab.create();
      const refused = { code: "invalid-argument" };
      for (const key of ["", ".", "a.", ".a", "a..b", "a b", "a*", "a>", "ä", "k".repeat(1_025)]) {
        await rejects(async () => store.write(key, bytesOf(""), 0), refused, key);
        await rejects(async () => store.read(key), refused, key);
        await rejects(async () => store.purge(key), refused, key);
      }
      await rejects(async () => store.write("a", new Uint8Array(coordinationLimits.maxValueBytes + 1), 0), refused);
      for (const expected of [-1, 0.5, Number.NaN, 2 ** 53]) {
        await rejects(async () => store.write("a", bytesOf(""), expected), refused);
      }
      const watcher = { onEntry: () => undefined, onCaughtUp: () => undefined, onReset: () => undefined };
      for (const prefix of ["", "worker", "worker..", "."]) {
        await rejects(async () => store.watch(prefix, watcher), refused, prefix);
      }
      const tooLong = new Uint8Array(coordinationLimits.maxAnnouncementBytes + 1);
      await rejects(async () => store.announce(tooLong), refused);
    },
  },
];
