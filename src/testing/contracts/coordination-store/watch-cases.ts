import { deepEqual, equal, ok } from "node:assert/strict";
import { bytesOf, type CoordinationCase, textOf, WatchRecorder, written } from "./coordination-case.ts";

/** Watches, announcements, and the end of a client. */
export const watchCases: readonly CoordinationCase[] = [
  {
    promise: "tells a watch what is there, then that this was all, then what changes",
    tryIt: async (lab) => {
      const store = await lab.create();
      const other = await lab.another(store);
      const first = await written(store, "worker.a", "1");
      await written(store, "worker.b", "1");
      const watch = new WatchRecorder();
      store.watch("worker.", watch);
      deepEqual([watch.entries.length, watch.caughtUp], [0, 0]);
      await watch.until(() => watch.caughtUp === 1);
      deepEqual(watch.texts, { "worker.a": "1", "worker.b": "1" });
      const second = await written(other, "worker.a", "2", first);
      await written(store, "worker.c", "1");
      await watch.told("worker.a", "2");
      await watch.told("worker.c", "1");
      ok(watch.entries.some(({ key, revision }) => key === "worker.a" && revision === second));
    },
  },
  {
    promise: "tells a watch of nothing but the keys under its prefix",
    tryIt: async (lab) => {
      const store = await lab.create();
      for (const key of ["work.a", "workers.a", "worker", "worker.a.b"]) await written(store, key, "before");
      const watch = new WatchRecorder();
      store.watch("worker.", watch);
      await watch.until(() => watch.caughtUp === 1);
      for (const key of ["work.b", "workers.b", "claim.worker.b", "worker.b"]) await written(store, key, "after");
      await watch.told("worker.b", "after");
      deepEqual(watch.texts, { "worker.a.b": "before", "worker.b": "after" });
    },
  },
  {
    promise: "catches up with an empty prefix, too",
    tryIt: async (lab) => {
      const store = await lab.create();
      const watch = new WatchRecorder();
      store.watch("type.", watch);
      await watch.until(() => watch.caughtUp === 1);
      deepEqual(watch.entries, []);
    },
  },
  {
    promise: "tells rising revisions of a key, and its last one",
    tryIt: async (lab) => {
      const store = await lab.create();
      const watch = new WatchRecorder();
      store.watch("host.", watch);
      let revision = 0;
      for (let count = 1; count <= 50; count += 1) revision = await written(store, "host.a", String(count), revision);
      await watch.told("host.a", "50");
      const revisions = watch.entries.map((entry) => entry.revision);
      deepEqual(
        revisions,
        [...new Set(revisions)].sort((one, other) => one - other),
      );
    },
  },
  {
    promise: "tells an ended watch nothing more, and its other watches everything",
    tryIt: async (lab) => {
      const store = await lab.create();
      const [ended, lives] = [new WatchRecorder(), new WatchRecorder()];
      const end = store.watch("worker.", ended);
      store.watch("worker.", lives);
      await ended.until(() => ended.caughtUp === 1);
      end();
      end();
      await written(store, "worker.a", "1");
      await lives.told("worker.a", "1");
      deepEqual(ended.entries, []);
    },
  },
  {
    promise: "tells each watch values of its own",
    tryIt: async (lab) => {
      const store = await lab.create();
      await written(store, "worker.a", "one");
      for (let count = 0; count < 2; count += 1) {
        const watch = new WatchRecorder();
        store.watch("worker.", watch);
        await watch.told("worker.a", "one");
        for (const { value } of watch.entries) value.fill(0);
      }
    },
  },
  {
    promise: "carries an announcement to every other client that listens",
    tryIt: async (lab) => {
      const stores = [await lab.create()];
      for (let count = 1; count < 3; count += 1) stores.push(await lab.another(stores[0] as (typeof stores)[0]));
      const [one, two, three] = stores as [(typeof stores)[0], (typeof stores)[0], (typeof stores)[0]];
      const heard: string[] = [];
      const heardBy = (name: string, listens: typeof one) =>
        new Promise<void>((resolve) => {
          listens.onAnnouncement((bytes) => {
            heard.push(`${name} ${textOf(bytes)}`);
            resolve();
          });
        });
      const byTwo = heardBy("two", two);
      const byThree = heardBy("three", three);
      one.onAnnouncement(() => heard.push("one"));
      const end = two.onAnnouncement(() => heard.push("ended"));
      end();
      // An answer of the store says that the listeners are known there.
      for (const store of stores) await store.read("worker.a", { fresh: true });
      one.announce(bytesOf("hello"));
      await Promise.all([byTwo, byThree]);
      deepEqual(heard.sort(), ["three hello", "two hello"]);
    },
  },
  {
    promise: "answers unknown after its end, tells nothing more, and may be closed twice",
    tryIt: async (lab) => {
      const store = await lab.create();
      const other = await lab.another(store);
      const revision = await written(store, "worker.a", "1");
      const watch = new WatchRecorder();
      store.watch("worker.", watch);
      await watch.told("worker.a", "1");
      await watch.until(() => watch.caughtUp === 1);
      await store.close();
      await store.close();
      deepEqual(await store.write("worker.a", bytesOf("2"), revision), { at: "unknown" });
      equal(await store.read("worker.a", { fresh: true }), "unknown");
      store.announce(bytesOf("late"));
      await store.purge("worker.a");
      store.watch("worker.", watch);
      const next = new WatchRecorder();
      other.watch("worker.", next);
      await written(other, "worker.a", "3", revision);
      await next.told("worker.a", "3");
      deepEqual(watch.texts, { "worker.a": "1" });
      equal(watch.caughtUp, 1);
    },
  },
];
