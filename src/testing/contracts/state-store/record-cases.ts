import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  conflicts,
  json,
  loaded,
  nothing,
  putOf,
  rejectsAs,
  reminderAt,
  type StoreCase,
  textOf,
} from "./store-case.ts";

const MiB = 1024 * 1024;

/** Saves, loads and deletions of one record. */
export const recordCases: readonly StoreCase[] = [
  {
    promise: "loads nothing of an agent that was never saved",
    tryIt: async (lab) => equal(await (await lab.open()).load(agent), undefined),
  },
  {
    promise: "returns saved data to the byte, with every field",
    tryIt: async (lab) => {
      const store = await lab.open();
      const big = new Uint8Array(MiB).map((_, at) => at % 251);
      const values = [bytesOf("één"), new Uint8Array(0), Uint8Array.of(0, 255, 0), big];
      for (const [index, data] of values.entries()) {
        for (const contentType of ["", json, "text/plain; charset=utf-8"]) {
          lab.clock.advance(1);
          const { eTag, revision } = await committed(
            store,
            commitOf({ write: { at: "put", contentType, schemaVersion: index, data } }),
          );
          deepEqual(await loaded(store), {
            ...{ eTag, revision, schemaVersion: index, contentType, data: Uint8Array.from(data) },
            ...{ savedAtMs: lab.clock.wallNow(), epoch: undefined },
          });
        }
      }
    },
  },
  {
    promise: "answers an equal eTag with unchanged, and an older one with the record",
    tryIt: async (lab) => {
      const store = await lab.open();
      const first = await committed(store, putOf("1"));
      equal(await store.load(agent, { unless: first.eTag }), "unchanged");
      const second = await committed(store, putOf("2"));
      const record = await store.load(agent, { unless: first.eTag });
      ok(record !== undefined && record !== "unchanged");
      equal(record.eTag, second.eTag);
      equal(textOf(record.data), "2");
    },
  },
  {
    promise: "reads of a record with more data than its reader takes the size alone",
    tryIt: async (lab) => {
      const store = await lab.open();
      equal(await store.loadUpTo(0, agent), undefined);
      const { eTag } = await committed(store, putOf("é23"));
      deepEqual(await store.loadUpTo(3, agent), { at: "larger", bytes: 4 });
      deepEqual(await store.loadUpTo(3, agent, { unless: "of another version" }), { at: "larger", bytes: 4 });
      equal(await store.loadUpTo(3, agent, { unless: eTag }), "unchanged");
      const record = await loaded(store);
      for (const most of [4, 1e12, Number.POSITIVE_INFINITY]) deepEqual(await store.loadUpTo(most, agent), record);
      equal(await store.loadUpTo(4, agent, { unless: eTag }), "unchanged");
      await committed(store, putOf(""));
      deepEqual(await store.loadUpTo(0, agent), await loaded(store));
      await committed(
        store,
        commitOf({ write: { at: "put", contentType: json, schemaVersion: 1, data: new Uint8Array(MiB) } }),
      );
      deepEqual(await store.loadUpTo(MiB - 1, agent), { at: "larger", bytes: MiB });
      deepEqual(await store.loadUpTo(MiB, agent), await loaded(store));
    },
  },
  {
    promise: "sees each commit that was acknowledged before it",
    tryIt: async (lab) => {
      const store = await lab.open();
      for (let count = 0; count < 50; count += 1) {
        await committed(store, putOf(String(count)));
        equal(textOf((await loaded(store)).data), String(count));
      }
    },
  },
  {
    promise: "takes a put for nothing where nothing is stored, and else tells the eTag",
    tryIt: async (lab) => {
      const store = await lab.open();
      const { eTag, revision } = await committed(store, putOf("1", { expected: nothing }));
      equal(revision, 1);
      conflicts(await commitOne(store, putOf("2", { expected: nothing })), eTag);
      equal(textOf((await loaded(store)).data), "1");
    },
  },
  {
    promise: "takes a put with the right eTag, and changes nothing for a stale one",
    tryIt: async (lab) => {
      const store = await lab.open();
      const first = await committed(store, putOf("1"));
      const second = await committed(store, putOf("2", { expected: { at: "version", eTag: first.eTag } }));
      notEqual(first.eTag, second.eTag);
      conflicts(await commitOne(store, putOf("3", { expected: { at: "version", eTag: first.eTag } })), second.eTag);
      const record = await loaded(store);
      deepEqual([record.eTag, record.revision, textOf(record.data)], [second.eTag, 2, "2"]);
    },
  },
  {
    promise:
      "replaces the whole record with a put over its eTag under its epoch, and says which epoch or eTag is newer",
    tryIt: async (lab) => {
      const store = await lab.open();
      const epoch = { generation: 1, era: 2, number: 3 };
      const over = (eTag: string) => ({ epoch, expected: { at: "version", eTag } }) as const;
      const first = await committed(store, putOf("1", { epoch, expected: nothing }));
      const write = { at: "put", contentType: "text/plain", schemaVersion: 2, data: bytesOf("two") } as const;
      const second = await committed(store, commitOf({ write, ...over(first.eTag) }));
      const { eTag, revision, contentType, schemaVersion, data, epoch: stored } = await loaded(store);
      deepEqual([eTag, revision, contentType, schemaVersion], [second.eTag, 2, "text/plain", 2]);
      deepEqual([textOf(data), stored], ["two", epoch]);
      conflicts(await commitOne(store, putOf("3", over(first.eTag))), second.eTag);
      const older = { ...over(second.eTag), epoch: { ...epoch, number: 2 } };
      deepEqual(await commitOne(store, putOf("3", older)), { at: "stale", epoch });
      const newer = { ...over(second.eTag), epoch: { ...epoch, number: 4 } };
      equal((await committed(store, putOf("4", newer))).revision, 3);
      deepEqual((await loaded(store)).epoch, newer.epoch);
    },
  },
  {
    promise: "refuses an eTag while nothing is stored, as a conflict without an eTag",
    tryIt: async (lab) => {
      const store = await lab.open();
      const version = { at: "version", eTag: "of nothing" } as const;
      conflicts(await commitOne(store, putOf("1", { expected: version })), undefined);
      conflicts(await commitOne(store, commitOf({ expected: version, write: { at: "delete" } })), undefined);
      equal(await store.load(agent), undefined);
    },
  },
  {
    promise: "takes a put for anything always; the revision rises by one",
    tryIt: async (lab) => {
      const store = await lab.open();
      for (let revision = 1; revision <= 5; revision += 1)
        equal((await committed(store, putOf("x"))).revision, revision);
    },
  },
  {
    promise: "never uses an eTag twice: over 1,000 saves, deletions and openings",
    tryIt: async (lab) => {
      let store = await lab.open();
      const eTags = new Set<string>();
      for (let round = 0; round < 20; round += 1) {
        const saves = Array.from({ length: 50 }, () => putOf("x"));
        for (const outcome of await store.commit(saves)) {
          ok(outcome.at === "committed" && outcome.eTag !== "");
          eTags.add(outcome.eTag);
        }
        await committed(store, commitOf({ write: { at: "delete" } }));
        if (round === 9) store = await lab.reopen(store);
      }
      equal(eTags.size, 1_000);
    },
  },
  {
    promise: "deletes a record under the right eTag, and not under a stale one",
    tryIt: async (lab) => {
      const store = await lab.open();
      const first = await committed(store, putOf("1"));
      const second = await committed(store, putOf("2"));
      const deletion = (eTag: string) => commitOf({ expected: { at: "version", eTag }, write: { at: "delete" } });
      conflicts(await commitOne(store, deletion(first.eTag)), second.eTag);
      deepEqual(await committed(store, deletion(second.eTag)), { at: "committed", eTag: "", revision: 0 });
      equal(await store.load(agent), undefined);
      equal((await committed(store, putOf("3", { expected: nothing }))).revision, 1);
    },
  },
  {
    promise: "deletes nothing without complaint",
    tryIt: async (lab) => {
      const outcome = await commitOne(await lab.open(), commitOf({ write: { at: "delete" } }));
      deepEqual(outcome, { at: "committed", eTag: "", revision: 0 });
    },
  },
  {
    promise: "deletes with a record the agent's reminders, what it remembers, and mail to it; and nothing of others",
    tryIt: async (lab) => {
      const store = await lab.open();
      const other = { type: "counter", key: "other" };
      const mailTo = (id: string, receiver: typeof other) =>
        ({ id, receiver, kind: "call", frame: bytesOf(id) }) as const;
      const parts = {
        reminders: [reminderAt("r", 1)],
        remembered: [{ id: "1", principal: "p", answer: bytesOf("a") }],
      };
      await committed(store, putOf("1", { ...parts, mail: [mailTo("to other", other)] }));
      await committed(store, putOf("1", { ...parts, agent: other, mail: [mailTo("to agent", agent)] }));
      await committed(store, commitOf({ write: { at: "delete" } }));
      deepEqual(await store.reminders(agent), []);
      equal(await store.remembered(agent, "1", "p"), undefined);
      deepEqual(
        (await store.mail({ limit: 10 })).map(({ id }) => id),
        ["to other"],
      );
      equal((await store.reminders(other)).length, 1);
      ok(await store.remembered(other, "1", "p"));
      ok(await store.load(other));
    },
  },
  {
    promise: "writes what a deleting commit itself brings after the deletion",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("1", { reminders: [reminderAt("old", 1)] }));
      const remembered = [{ id: "1", principal: "", answer: bytesOf("done") }];
      await committed(store, commitOf({ write: { at: "delete" }, reminders: [reminderAt("new", 1)], remembered }));
      deepEqual(
        (await store.reminders(agent)).map(({ name }) => name),
        ["new"],
      );
      ok(await store.remembered(agent, "1", ""));
    },
  },
  {
    promise: "keeps eTag and revision in a commit that writes no state",
    tryIt: async (lab) => {
      const store = await lab.open();
      const { eTag } = await committed(store, putOf("1"));
      const kept = await committed(
        store,
        commitOf({ expected: { at: "version", eTag }, reminders: [reminderAt("r", 1)] }),
      );
      deepEqual(kept, { at: "committed", eTag, revision: 1 });
      equal(textOf((await loaded(store)).data), "1");
      equal((await store.reminders(agent)).length, 1);
      conflicts(
        await commitOne(
          store,
          commitOf({ expected: { at: "version", eTag: "stale" }, reminders: [reminderAt("s", 1)] }),
        ),
        eTag,
      );
      equal((await store.reminders(agent)).length, 1);
    },
  },
  {
    promise: "keeps reminders of an agent without a state",
    tryIt: async (lab) => {
      const store = await lab.open();
      const outcome = await committed(store, commitOf({ reminders: [reminderAt("r", 1)] }));
      deepEqual(outcome, { at: "committed", eTag: "", revision: 0 });
      equal(await store.load(agent), undefined);
      equal((await store.reminders(agent)).length, 1);
    },
  },
  {
    promise: "keeps its own copy of the bytes, from the call on",
    tryIt: async (lab) => {
      const store = await lab.open();
      // A view into a larger buffer, whose `slice` does not copy.
      const viewOf = (text: string): Uint8Array => Buffer.from(`(${text})`).subarray(1, -1);
      const data = viewOf("data");
      const message = viewOf("message");
      const answer = viewOf("answer");
      const frame = viewOf("frame");
      const done = store.commit([
        commitOf({
          write: { at: "put", contentType: json, schemaVersion: 1, data },
          reminders: [{ at: "set", name: "r", dueMs: 1, rule: "", message }],
          remembered: [{ id: "1", principal: "", answer }],
          mail: [{ id: "1", receiver: agent, kind: "event", frame }],
        }),
      ]);
      for (const bytes of [data, message, answer, frame]) bytes.fill(0);
      await done;
      for (let round = 0; round < 2; round += 1) {
        const bytes = [
          (await loaded(store)).data,
          ...(await store.reminders(agent)).map((reminder) => reminder.message),
          (await store.remembered(agent, "1", ""))?.answer ?? new Uint8Array(0),
          ...(await store.mail({ limit: 1 })).map((mail) => mail.frame),
        ];
        deepEqual(bytes.map(textOf), ["data", "message", "answer", "frame"]);
        for (const one of bytes) one.fill(0);
      }
    },
  },
  {
    promise: "reads before it is open, and writes only after",
    tryIt: async (lab) => {
      const first = await lab.open();
      await committed(first, putOf("1"));
      await first.close();
      const store = await lab.another(first);
      equal(textOf((await loaded(store)).data), "1");
      equal((await store.list()).records.length, 1);
      await rejectsAs(store.commit([putOf("2")]), "not-open");
      await rejectsAs(store.settle({ ticks: [], mail: [] }), "not-open");
      equal(textOf((await loaded(store)).data), "1");
    },
  },
];
