import { equal, ok } from "node:assert/strict";
import { nextTurn, type StateStore, StoreError } from "../../../core/internal.ts";
import {
  agent,
  type BreakStore,
  commitOf,
  committed,
  json,
  loaded,
  putOf,
  rejectsAs,
  type StateStoreAdapter,
  type StoreCase,
  type StoreFaults,
  textOf,
} from "./store-case.ts";

const big = { at: "put", contentType: json, schemaVersion: 1, data: new Uint8Array(1024 * 1024) } as const;
const bigCommit = commitOf({ agent: { type: "big", key: "k" }, write: big });

/** Commits until the store has recovered. */
async function recovered(store: StateStore, text: string): Promise<void> {
  for (let turn = 0; turn < 10_000; turn += 1) {
    try {
      return void (await committed(store, putOf(text)));
    } catch (error) {
      ok(error instanceof StoreError, String(error));
      await nextTurn();
    }
  }
  throw new Error("The store has not recovered.");
}

type Cases = { readonly [Fault in keyof StoreFaults]-?: (breakIt: BreakStore) => StoreCase };

const cases: Cases = {
  full: (breakIt) => ({
    promise:
      "rejects a commit for which there is no space, loses nothing that was acknowledged, and goes on when there is space",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("before"));
      const mend = await breakIt(store);
      await rejectsAs(store.commit([bigCommit]), "full");
      equal(textOf((await loaded(store)).data), "before");
      equal(await store.load(bigCommit.agent), undefined);
      await mend();
      await recovered(store, "after");
      await committed(store, bigCommit);
      const again = await lab.reopen(store);
      equal(textOf((await loaded(again)).data), "after");
    },
  }),
  unavailable: (breakIt) => ({
    promise: "rejects commits while it can't be reached, and recovers by itself",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("before"));
      const mend = await breakIt(store);
      await rejectsAs(store.commit([putOf("during")]), "unavailable", "unknown");
      await mend();
      await recovered(store, "after");
      const again = await lab.reopen(store);
      equal(textOf((await loaded(again)).data), "after");
    },
  }),
  corrupt: (breakIt) => ({
    promise: "rejects everything once its data is damaged, and says what to do",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("before"));
      await breakIt(store);
      await rejectsAs(store.commit([bigCommit]), "corrupt");
      await rejectsAs(store.commit([putOf("after")]), "corrupt");
      await rejectsAs(store.load(agent), "corrupt");
      const error: unknown = await store.commit([putOf("after")]).catch((reason: unknown) => reason);
      ok(error instanceof StoreError && error.message.includes("backup"), "the text names a backup");
    },
  }),
};

/** The cases of the faults that an adapter can be given. */
export function faultCases({ faults = {} }: StateStoreAdapter): readonly StoreCase[] {
  const kinds: readonly (keyof StoreFaults)[] = ["full", "unavailable", "corrupt"];
  return kinds.flatMap((kind) => {
    const breakIt = faults[kind];
    return breakIt === undefined ? [] : [cases[kind](breakIt)];
  });
}
