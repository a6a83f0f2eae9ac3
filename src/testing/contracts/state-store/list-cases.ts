import { deepEqual, equal } from "node:assert/strict";
import type { AgentName, ListPage, StateStore } from "../../../core/internal.ts";
import { commitOf, commitOne, committed, json, loaded, putOf, type StoreCase, textOf } from "./store-case.ts";

const longest = "x".repeat(1_024);
/** Names that a store could take for each other. */
const oddNames: readonly AgentName[] = [
  { type: "a", key: "k" },
  { type: "A", key: "k" },
  { type: "a", key: "K" },
  { type: "a", key: "k " },
  { type: "a ", key: "k" },
  { type: "a", key: "" },
  { type: "", key: "k" },
  { type: "", key: "" },
  { type: "a/k", key: "" },
  { type: "a", key: "/k" },
  { type: "a", key: "k\0" },
  { type: "a", key: "k\0b" },
  { type: "a\0", key: "k" },
  { type: "a", key: "\ufeffk" },
  { type: "a", key: "\u00e9" },
  { type: "a", key: "e\u0301" },
  { type: "a", key: "😀" },
  { type: "a", key: "\ufb01" },
  { type: "a", key: "%" },
  { type: "a", key: "_" },
  { type: "a", key: "'; drop table state; --" },
  { type: longest, key: "k" },
  { type: "a", key: longest },
  { type: "a", key: `${longest.slice(1)}y` },
  { type: "a", key: "😀".repeat(512) },
];

/** In the order of their bytes in UTF-8, which is not that of UTF-16. */
const orderedKeys = ["", "A", "a", "a\0", "aa", "b", "é", "\uffff", "😀"];

async function allPages(store: StateStore, query: Parameters<StateStore["list"]>[0]): Promise<ListPage["records"]> {
  const records: ListPage["records"][number][] = [];
  for (;;) {
    const page: ListPage = await store.list({ ...query, after: records.at(-1)?.agent });
    records.push(...page.records);
    if (page.isLast) return records;
  }
}

const keysOf = (records: ListPage["records"]): readonly string[] => records.map(({ agent }) => agent.key);

/** Names and lists of records. */
export const listCases: readonly StoreCase[] = [
  {
    promise: "tells agents apart by type and key, whatever is in them",
    tryIt: async (lab) => {
      const store = await lab.open();
      await store.commit(oddNames.map((agent, index) => putOf(String(index), { agent })));
      const again = await lab.reopen(store);
      for (const [index, name] of oddNames.entries()) equal(textOf((await loaded(again, name)).data), String(index));
      const listed = await again.list({ limit: 100 });
      const textOfName = ({ type, key }: AgentName) => JSON.stringify([type, key]);
      deepEqual(
        new Set(listed.records.map(({ agent }) => textOfName(agent))),
        new Set(oddNames.map((agent) => textOfName(agent))),
      );
    },
  },
  {
    promise: "lists records by type and key in the order of their bytes, without their data",
    tryIt: async (lab) => {
      const store = await lab.open();
      const types = ["b", "a"];
      for (const type of types) {
        const commits = orderedKeys.toReversed().map((key) => putOf("data", { agent: { type, key } }));
        await store.commit(commits);
      }
      const { records, isLast } = await store.list();
      equal(isLast, true);
      deepEqual(keysOf(records), [...orderedKeys, ...orderedKeys]);
      const record = await loaded(store, { type: "a", key: "b" });
      const { data, ...fields } = record;
      deepEqual(
        records.find(({ agent }) => agent.type === "a" && agent.key === "b"),
        { ...fields, agent: { type: "a", key: "b" }, bytes: data.length },
      );
    },
  },
  {
    promise: "lists records of one type, and of keys that begin with a prefix",
    tryIt: async (lab) => {
      const store = await lab.open();
      const keys = ["order", "order-1", "order-2", "order_1", "orders", "Order-1", "ORDER-1", "x", "%", "order-😀"];
      await store.commit(keys.map((key) => putOf("x", { agent: { type: "a", key } })));
      await store.commit(keys.map((key) => putOf("x", { agent: { type: "b", key } })));
      deepEqual(keysOf((await store.list({ type: "a", keyPrefix: "order-" })).records), [
        "order-1",
        "order-2",
        "order-😀",
      ]);
      deepEqual(keysOf((await store.list({ keyPrefix: "%" })).records), ["%", "%"]);
      equal((await store.list({ type: "b" })).records.length, keys.length);
      deepEqual((await store.list({ type: "none" })).records, []);
      deepEqual(await store.list({ type: "a", keyPrefix: "none" }), { records: [], isLast: true });
    },
  },
  {
    promise: "lists in pages of any size, without a gap and without a repeat",
    tryIt: async (lab) => {
      const store = await lab.open();
      const keys = Array.from({ length: 60 }, (_, index) => String(index).padStart(2, "0"));
      await store.commit(keys.map((key) => putOf("x", { agent: { type: "a", key } })));
      await store.commit(keys.map((key) => putOf("x", { agent: { type: "b", key } })));
      for (const limit of [1, 7, 60, 119, 120, 121, 10_000]) {
        deepEqual(keysOf(await allPages(store, { limit })), [...keys, ...keys]);
        deepEqual(keysOf(await allPages(store, { limit, type: "b", keyPrefix: "1" })), keys.slice(10, 20));
      }
      equal((await store.list({ limit: 10 })).records.length, 10);
    },
  },
  {
    promise: "lists in pages of 4 MiB at most, which say whether more follow",
    tryIt: async (lab) => {
      const store = await lab.open();
      const start = "€".repeat(1_020);
      const keys = Array.from({ length: 700 }, (_, index) => start + String(index).padStart(4, "0"));
      const type = "€".repeat(1_024);
      await store.commit(keys.map((key) => putOf("x", { agent: { type, key } })));
      // 200 beside type, key and content type.
      const bytes = 3 * 1_024 + 3 * 1_020 + 4 + 200 + json.length;
      const most = Math.floor((4 * 1_024 * 1_024) / bytes);
      for (const query of [{ type }, {}]) {
        const page = await store.list({ ...query, limit: 10_000 });
        deepEqual([page.records.length, page.isLast], [most, false]);
        deepEqual(keysOf(await allPages(store, { ...query, limit: 10_000 })), keys);
        equal((await store.list({ ...query, limit: most })).isLast, false);
        const rest = await store.list({ ...query, limit: 10_000, after: page.records.at(-1)?.agent });
        deepEqual([rest.records.length, rest.isLast], [keys.length - most, true]);
      }
    },
  },
  {
    promise: "misses and repeats no record while others are written and deleted",
    tryIt: async (lab) => {
      const store = await lab.open();
      const stable = Array.from({ length: 40 }, (_, index) => `${String(index).padStart(2, "0")}-stays`);
      await store.commit(stable.map((key) => putOf("x", { agent: { type: "a", key } })));
      const found: string[] = [];
      let after: AgentName | undefined;
      for (let round = 0; ; round += 1) {
        const page: ListPage = await store.list({ type: "a", limit: 5, after });
        found.push(...keysOf(page.records));
        if (page.isLast) break;
        after = page.records.at(-1)?.agent;
        const name = (index: number) => ({ agent: { type: "a", key: `${String(index).padStart(2, "0")}-comes` } });
        await committed(store, putOf("x", name(round)));
        await committed(store, putOf("x", name(39)));
        await committed(store, commitOf({ ...name(39), write: { at: "delete" } }));
        await commitOne(store, putOf("changed", { agent: { type: "a", key: stable[39] ?? "" } }));
      }
      deepEqual(
        found.filter((key) => key.endsWith("-stays")),
        stable,
      );
      equal(new Set(found).size, found.length);
    },
  },
  {
    promise: "counts what it holds, by agent type",
    tryIt: async (lab) => {
      const store = await lab.open();
      deepEqual(await store.stats(), { records: 0, bytes: 0, reminders: 0, mail: 0, types: [] });
      const reminders = [{ at: "set", name: "r", dueMs: 1, rule: "", message: new Uint8Array(1) } as const];
      const mail = [{ id: "1", receiver: { type: "b", key: "k" }, kind: "event", frame: new Uint8Array(1) } as const];
      await committed(store, putOf("12345", { agent: { type: "a", key: "1" }, reminders, mail }));
      await committed(store, putOf("123", { agent: { type: "a", key: "2" } }));
      await committed(store, putOf("", { agent: { type: "b", key: "1" } }));
      const { types, ...totals } = await store.stats();
      deepEqual(totals, { records: 3, bytes: 8, reminders: 1, mail: 1 });
      deepEqual(types, [
        { type: "a", records: 2, bytes: 8 },
        { type: "b", records: 1, bytes: 0 },
      ]);
    },
  },
];
