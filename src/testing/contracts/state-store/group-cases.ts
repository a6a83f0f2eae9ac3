import { deepEqual, equal, ok } from "node:assert/strict";
import type { StateStore } from "../../../core/internal.ts";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  conflicts,
  loaded,
  nothing,
  putOf,
  reminderAt,
  type StoreCase,
  textOf,
} from "./store-case.ts";

/** Several commits: in races, in groups, and all of one or nothing. */
export const groupCases: readonly StoreCase[] = [
  {
    promise: "lets one of 50 savers with the same eTag win",
    tryIt: async (lab) => {
      const store = await lab.open();
      const { eTag } = await committed(store, putOf("0"));
      const savers = Array.from({ length: 50 }, (_, index) =>
        commitOne(store, putOf(String(index), { expected: { at: "version", eTag } })),
      );
      const outcomes = await Promise.all(savers);
      const winners = outcomes.flatMap(({ at }, index) => (at === "committed" ? [String(index)] : []));
      equal(winners.length, 1);
      deepEqual([textOf((await loaded(store)).data)], winners);
      const { eTag: current } = await loaded(store);
      for (const outcome of outcomes) if (outcome.at !== "committed") conflicts(outcome, current);
    },
  },
  {
    promise: "counts each of 1,000 increments that ten loops make by compare-and-set",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("0"));
      const increment = async (): Promise<void> => {
        for (;;) {
          const { eTag, data } = await loaded(store);
          const next = putOf(String(Number(textOf(data)) + 1), { expected: { at: "version", eTag } });
          if ((await commitOne(store, next)).at === "committed") return;
        }
      };
      const loop = async (): Promise<void> => {
        for (let count = 0; count < 100; count += 1) await increment();
      };
      await Promise.all(Array.from({ length: 10 }, loop));
      equal(textOf((await loaded(store)).data), "1000");
    },
  },
  {
    promise: "takes no commits, and tells no outcomes",
    tryIt: async (lab) => deepEqual(await (await lab.open()).commit([]), []),
  },
  {
    promise: "gives the outcomes of a group in order; a conflict keeps no other from being written",
    tryIt: async (lab) => {
      const store = await lab.open();
      const nameOf = (index: number) => ({ type: "counter", key: String(index) });
      await committed(store, putOf("before", { agent: nameOf(31) }));
      const group = Array.from({ length: 64 }, (_, index) =>
        putOf(String(index), { agent: nameOf(index), expected: nothing }),
      );
      const outcomes = await store.commit(group);
      equal(outcomes.length, 64);
      for (const [index, { at }] of outcomes.entries()) equal(at, index === 31 ? "conflict" : "committed");
      for (let index = 0; index < 64; index += 1) {
        equal(textOf((await loaded(store, nameOf(index))).data), index === 31 ? "before" : String(index));
      }
    },
  },
  {
    promise: "tries several commits of one agent in their order",
    tryIt: async (lab) => {
      const store = await lab.open();
      const outcomes = await store.commit([
        putOf("1", { expected: nothing }),
        putOf("2"),
        putOf("3", { expected: nothing }),
        commitOf({ write: { at: "delete" } }),
        putOf("5", { expected: nothing }),
      ]);
      deepEqual(
        outcomes.map(({ at }) => at),
        ["committed", "committed", "conflict", "committed", "committed"],
      );
      deepEqual(
        outcomes.map((outcome) => (outcome.at === "committed" ? outcome.revision : undefined)),
        [1, 2, undefined, 0, 1],
      );
      equal(textOf((await loaded(store)).data), "5");
    },
  },
  {
    promise: "refuses a commit over a limit alone, naming the limit",
    tryIt: async (lab) => {
      const store = await lab.open();
      const longAnswer = [{ id: "1", principal: "", answer: new Uint8Array(16 * 1024 + 1) }];
      const longMessage = [{ ...reminderAt("r", 1), message: new Uint8Array(64 * 1024 + 1) }];
      const longName = [reminderAt("n".repeat(257), 1)];
      const nameOf = (key: string) => ({ agent: { type: "counter", key } });
      const outcomes = await store.commit([
        putOf("1", nameOf("before")),
        putOf("2", { ...nameOf("answer"), remembered: longAnswer }),
        putOf("2", { ...nameOf("message"), reminders: longMessage }),
        putOf("2", { ...nameOf("name"), reminders: longName }),
        putOf("3", nameOf("after")),
      ]);
      deepEqual(
        outcomes.map(({ at }) => at),
        ["committed", "refused", "refused", "refused", "committed"],
      );
      for (const outcome of outcomes) if (outcome.at === "refused") ok(outcome.limit.length > 0);
      const { records } = await store.list();
      deepEqual(
        records.map((record) => record.agent.key),
        ["after", "before"],
      );
    },
  },
  {
    promise: "writes all of a commit or nothing of it, and has it after it was opened again",
    tryIt: async (lab) => {
      const store = await lab.open();
      const { eTag } = await committed(store, putOf("0"));
      const parts = (id: string) => ({
        reminders: [reminderAt(id, 1)],
        remembered: [{ id, principal: "p", answer: bytesOf(id) }],
        mail: [{ id, receiver: { type: "b", key: id }, kind: "call", frame: bytesOf(id) } as const],
      });
      const [won, lost] = await store.commit([
        putOf("1", { expected: { at: "version", eTag }, ...parts("won") }),
        putOf("2", { expected: { at: "version", eTag }, ...parts("lost") }),
      ]);
      ok(won?.at === "committed");
      conflicts(lost, won.eTag);
      const check = async (reader: StateStore): Promise<void> => {
        const record = await loaded(reader);
        deepEqual([record.eTag, record.revision, textOf(record.data)], [won.eTag, 2, "1"]);
        deepEqual(
          (await reader.reminders(agent)).map(({ name }) => name),
          ["won"],
        );
        deepEqual(
          (await reader.mail({ limit: 10 })).map(({ id }) => id),
          ["won"],
        );
        equal(textOf((await reader.remembered(agent, "won", "p"))?.answer ?? new Uint8Array(0)), "won");
        equal(await reader.remembered(agent, "lost", "p"), undefined);
      };
      await check(store);
      const again = await lab.reopen(store);
      await check(again);
      equal((await committed(again, putOf("3", { expected: { at: "version", eTag: won.eTag } }))).revision, 3);
    },
  },
];
