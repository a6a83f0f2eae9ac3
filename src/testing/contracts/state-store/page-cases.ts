import { deepEqual, equal, ok } from "node:assert/strict";
import type { AgentName, Mail, StoredReminder } from "../../../core/internal.ts";
import { agent, commitOf, committed, type StoreCase } from "./store-case.ts";

const kiB = 1_024;
const message = new Uint8Array(60 * kiB);
const far = Number.MAX_SAFE_INTEGER;

function setOf(name: string, dueMs: number) {
  return { at: "set", name, dueMs, rule: "", message } as const;
}

function mailTo(receiver: AgentName, id: string, bytes: number): Mail {
  return { id, receiver, kind: "event", frame: new Uint8Array(bytes) };
}

/** Reads pages until one is empty. */
async function pagesOf<Item>(read: (last: Item | undefined) => Promise<readonly Item[]>): Promise<readonly Item[][]> {
  const pages: Item[][] = [];
  for (;;) {
    const page = await read(pages.at(-1)?.at(-1));
    if (page.length === 0) return pages;
    pages.push([...page]);
    ok(pages.length < 1_000, "pages without end");
  }
}

/** Pages that are bounded in bytes. */
export const pageCases: readonly StoreCase[] = [
  {
    promise: "an agent's reminders come in pages of 4 MiB at most, all of them, by name",
    tryIt: async (lab) => {
      const store = await lab.open();
      const names = Array.from({ length: 150 }, (_, index) => `r${index}`).sort();
      await committed(store, commitOf({ reminders: names.map((name, index) => setOf(name, index)) }));
      const pages = await pagesOf<StoredReminder>((last) => store.reminders(agent, { after: last?.name }));
      deepEqual(
        pages.flat().map(({ name }) => name),
        names,
      );
      deepEqual(
        pages.map(({ length }) => length),
        [68, 68, 14],
      );
    },
  },
  {
    promise: "reminders that are due come in pages that are bounded in bytes, and in a page is one at least",
    tryIt: async (lab) => {
      const store = await lab.open();
      for (let index = 0; index < 5; index += 1) {
        const reminders = [setOf("a", 2 * index), setOf("b", 2 * index + 1)];
        await committed(store, commitOf({ agent: { type: "a", key: String(index) }, reminders }));
      }
      const read = (maxBytes: number | undefined) =>
        pagesOf<StoredReminder>((after) => store.due({ beforeMs: far, after, limit: 4, maxBytes }));
      const lengths = async (maxBytes: number | undefined) => (await read(maxBytes)).map(({ length }) => length);
      deepEqual(await lengths(undefined), [4, 4, 2]);
      deepEqual(await lengths(3 * message.length), [3, 3, 3, 1]);
      deepEqual(await lengths(3 * message.length - 1), [2, 2, 2, 2, 2]);
      deepEqual(
        await lengths(1),
        Array.from({ length: 10 }, () => 1),
      );
      const dues = (await read(1)).flat().map(({ dueMs }) => dueMs);
      deepEqual(
        dues,
        dues.map((_, index) => index),
      );
    },
  },
  {
    promise: "mail comes in pages of 4 MiB at most, unless one message is longer, also that of some shards",
    tryIt: async (lab) => {
      const store = await lab.open();
      const sizes = [3 * kiB * kiB, kiB * kiB, 10, 5 * kiB * kiB, 10];
      const mail = sizes.map((bytes, index) => mailTo(agent, String(index), bytes));
      for (const one of mail) await committed(store, commitOf({ mail: [one] }));
      const shards = Array.from({ length: 32 }, (_, index) => index);
      for (const query of [{ limit: 100 }, { limit: 100, shards }]) {
        const pages = await pagesOf<{ id: string; place: number }>((last) =>
          store.mail({ ...query, after: last?.place }),
        );
        deepEqual(
          pages.map((page) => page.map(({ id }) => id)),
          [["0", "1"], ["2"], ["3"], ["4"]],
        );
      }
      equal((await store.mail({ limit: 0 })).length, 0);
    },
  },
];
