import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import type { StoredData } from "../../protocol/internal.ts";
import type { SaveOutcome, StateStore } from "../../storage/internal.ts";
import { assertSuite, type TestRunner } from "./test-runner.ts";

interface StoreCase {
  readonly promise: string;
  readonly tryIt: (store: StateStore) => Promise<void>;
}

const a = { type: "a", key: "k" };

function text(value: string): StoredData {
  return { kind: "text", text: value };
}

function eTagOf(outcome: SaveOutcome): string {
  ok(outcome.at === "saved", `expected it to be saved, got ${outcome.at}`);
  return outcome.eTag;
}

const cases: readonly StoreCase[] = [
  {
    promise: "returns undefined for an agent that was never saved",
    tryIt: async (store) => equal(await store.load(a), undefined),
  },
  {
    promise: "returns saved data of every kind, with the eTag of the save",
    tryIt: async (store) => {
      const kinds: readonly (StoredData | undefined)[] = [
        text("één"),
        { kind: "binary", bytes: Uint8Array.of(0, 255) },
        { kind: "proto", any: Uint8Array.of(10, 1, 120) },
        undefined,
      ];
      for (const data of kinds) {
        const eTag = eTagOf(await store.save(a, data, ""));
        deepEqual(await store.load(a), { eTag, data });
      }
    },
  },
  {
    promise: "creates a new, non-empty eTag with every save",
    tryIt: async (store) => {
      const first = eTagOf(await store.save(a, text("1"), ""));
      const second = eTagOf(await store.save(a, text("1"), first));
      notEqual(first, "");
      notEqual(first, second);
    },
  },
  {
    promise: "accepts any eTag while nothing is stored, and always an empty one",
    tryIt: async (store) => {
      eTagOf(await store.save(a, text("1"), "whatever"));
      eTagOf(await store.save(a, text("2"), ""));
      deepEqual((await store.load(a))?.data, text("2"));
    },
  },
  {
    promise: "forgets a deleted state, says whether there was one, and takes a new one under any eTag",
    tryIt: async (store) => {
      eTagOf(await store.save(a, text("1"), ""));
      equal(await store.delete(a), true);
      equal(await store.load(a), undefined);
      equal(await store.delete(a), false);
      eTagOf(await store.save(a, text("2"), "of the deleted one"));
    },
  },
  {
    promise: "refuses a stale eTag, returns the current one, and changes nothing",
    tryIt: async (store) => {
      const first = eTagOf(await store.save(a, text("1"), ""));
      const second = eTagOf(await store.save(a, text("2"), first));
      deepEqual(await store.save(a, text("3"), first), { at: "conflict", eTag: second });
      deepEqual(await store.load(a), { eTag: second, data: text("2") });
    },
  },
  {
    promise: "lets exactly one of several saves with the same eTag succeed",
    tryIt: async (store) => {
      const first = eTagOf(await store.save(a, text("0"), ""));
      const outcomes = await Promise.all(["1", "2", "3"].map((value) => store.save(a, text(value), first)));
      equal(outcomes.filter(({ at }) => at === "saved").length, 1);
    },
  },
  {
    promise: "distinguishes agents by type and key, whatever characters they contain",
    tryIt: async (store) => {
      const ids = [
        a,
        { type: "b", key: "k" },
        { type: "a", key: "k2" },
        { type: "a/k", key: "" },
        { type: "a", key: "/k" },
      ];
      for (const [index, id] of ids.entries()) eTagOf(await store.save(id, text(String(index)), ""));
      for (const [index, id] of ids.entries()) deepEqual((await store.load(id))?.data, text(String(index)));
    },
  },
  {
    promise: "keeps its own copy of the bytes",
    tryIt: async (store) => {
      const bytes = Uint8Array.of(1, 2, 3);
      await store.save(a, { kind: "binary", bytes }, "");
      bytes.fill(9);
      deepEqual((await store.load(a))?.data, { kind: "binary", bytes: Uint8Array.of(1, 2, 3) });
    },
  },
];

/**
 * Registers the contract suite of `StateStore`; `openStore` returns a new, empty store each time.
 *
 * @example
 * ```ts
 * describeStateStore("my database", () => openMyStore(), { describe, it });
 * ```
 */
export function describeStateStore(
  name: string,
  openStore: () => StateStore | Promise<StateStore>,
  runner: TestRunner,
): void {
  assertSuite(name, openStore, runner);
  runner.describe(`${name}: state store`, () => {
    for (const { promise, tryIt } of cases) runner.it(promise, async () => tryIt(await openStore()));
  });
}
