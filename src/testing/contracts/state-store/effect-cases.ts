import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { type AgentName, type Mail, type StateStore, type StoredReminder, shardOf } from "../../../core/internal.ts";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  loaded,
  putOf,
  reminderAt,
  type StoreCase,
  textOf,
} from "./store-case.ts";

const dayMs = 24 * 60 * 60 * 1_000;
const everything = { beforeMs: Number.MAX_SAFE_INTEGER, limit: 1_000 };

function mailOf(id: string, receiver: AgentName = agent): Mail {
  return { id, receiver, kind: "call", frame: bytesOf(id) };
}

function rememberedOf(id: string, answer = "answer", principal = "p") {
  return { id, principal, answer: bytesOf(answer) };
}

function rememberedMail(id: string) {
  return { id, principal: "p", answer: undefined };
}

async function onlyReminder(store: StateStore): Promise<StoredReminder> {
  const [reminder, ...others] = await store.reminders(agent);
  ok(reminder !== undefined && others.length === 0, "expected one reminder");
  return reminder;
}

async function settleTick(
  store: StateStore,
  reminder: StoredReminder,
  nextDueMs?: number,
  attempts = 0,
): Promise<void> {
  const { agent: ofAgent, name, seq } = reminder;
  await store.settle({ ticks: [{ agent: ofAgent, name, seq, nextDueMs, attempts }], mail: [] });
}

const reminderCases: readonly StoreCase[] = [
  {
    promise: "sets, replaces and cancels reminders; each setting has another seq, which rises",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, commitOf({ reminders: [reminderAt("b", 2), reminderAt("a", 1, "first")] }));
      const [a, b] = await store.reminders(agent);
      ok(a !== undefined && b !== undefined);
      const { seq, ...fields } = a;
      deepEqual(fields, { agent, name: "a", dueMs: 1, rule: "every 1h", message: bytesOf("first"), attempts: 0 });
      notEqual(a.seq, b.seq);
      await committed(store, commitOf({ reminders: [reminderAt("a", 3, "second"), { at: "cancel", name: "b" }] }));
      const again = await onlyReminder(store);
      deepEqual([again.name, again.dueMs, textOf(again.message)], ["a", 3, "second"]);
      ok(again.seq > seq);
      await committed(
        store,
        commitOf({
          reminders: [
            { at: "cancel", name: "a" },
            { at: "cancel", name: "unknown" },
          ],
        }),
      );
      deepEqual(await store.reminders(agent), []);
      await committed(store, commitOf({ reminders: [reminderAt("a", 4)] }));
      ok((await onlyReminder(store)).seq > again.seq);
    },
  },
  {
    promise: "applies changes of one reminder in their order",
    tryIt: async (lab) => {
      const store = await lab.open();
      const changes = [reminderAt("a", 1), { at: "cancel", name: "a" } as const, reminderAt("a", 2)];
      await committed(store, commitOf({ reminders: changes }));
      equal((await onlyReminder(store)).dueMs, 2);
    },
  },
  {
    promise: "reads due reminders, the earliest first, up to a limit",
    tryIt: async (lab) => {
      const store = await lab.open();
      for (let index = 0; index < 20; index += 1) {
        const due = (index * 7) % 20;
        const name = { type: "a", key: String(index) };
        await committed(store, commitOf({ agent: name, reminders: [reminderAt("r", due)] }));
      }
      const dues = async (query: Parameters<StateStore["due"]>[0]) =>
        (await store.due(query)).map(({ dueMs }) => dueMs);
      deepEqual(await dues({ beforeMs: 5, limit: 10 }), [0, 1, 2, 3, 4]);
      deepEqual(await dues({ beforeMs: 100, limit: 3 }), [0, 1, 2]);
      deepEqual(await dues({ beforeMs: 0, limit: 3 }), []);
      const first = await store.due({ beforeMs: 100, limit: 3 });
      deepEqual(await dues({ beforeMs: 100, after: first.at(-1), limit: 3 }), [3, 4, 5]);
      deepEqual(await dues({ beforeMs: 100, after: { dueMs: 19, seq: Number.MAX_SAFE_INTEGER }, limit: 3 }), []);
      const shard = shardOf({ type: "a", key: "3" });
      const inShard = await store.due({ ...everything, shards: [shard] });
      ok(inShard.some((reminder) => reminder.agent.key === "3"));
      for (const reminder of inShard) equal(shardOf(reminder.agent), shard);
      const others = Array.from({ length: 32 }, (_, index) => index).filter((index) => index !== shard);
      equal((await store.due({ ...everything, shards: others })).length, 20 - inShard.length);
      deepEqual(await store.due({ ...everything, shards: [] }), []);
    },
  },
  {
    promise: "settles a tick: moves the reminder, or ends it",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, commitOf({ reminders: [reminderAt("a", 1)] }));
      const first = await onlyReminder(store);
      await settleTick(store, first, 100, 2);
      const second = await onlyReminder(store);
      deepEqual([second.dueMs, second.attempts, second.rule, textOf(second.message)], [100, 2, "every 1h", "a"]);
      ok(second.seq > first.seq);
      equal((await store.due({ beforeMs: 100, limit: 1 })).length, 0);
      await settleTick(store, second);
      deepEqual(await store.reminders(agent), []);
    },
  },
  {
    promise: "settles a tick with another rule",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, commitOf({ reminders: [reminderAt("a", 1)] }));
      const { agent: ofAgent, name, seq } = await onlyReminder(store);
      const tick = { agent: ofAgent, name, seq, nextDueMs: 2, attempts: 0, rule: "every 2h" };
      await store.settle({ ticks: [tick], mail: [] });
      const again = await onlyReminder(store);
      deepEqual([again.dueMs, again.rule, textOf(again.message)], [2, "every 2h", "a"]);
    },
  },
  {
    promise: "ignores a tick of an older seq",
    tryIt: async (lab) => {
      let store = await lab.open();
      await committed(store, commitOf({ reminders: [reminderAt("a", 1)] }));
      const old = await onlyReminder(store);
      await committed(store, commitOf({ reminders: [reminderAt("a", 2)] }));
      await settleTick(store, old);
      equal((await onlyReminder(store)).dueMs, 2);
      await committed(store, commitOf({ reminders: [{ at: "cancel", name: "a" }] }));
      store = await lab.reopen(store);
      await committed(store, commitOf({ reminders: [reminderAt("a", 3)] }));
      await settleTick(store, old);
      await settleTick(store, { ...old, name: "unknown" }, 5);
      equal((await onlyReminder(store)).dueMs, 3);
    },
  },
  {
    promise: "keeps reminders when it is opened again",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, commitOf({ reminders: [reminderAt("a", 1)] }));
      const before = await onlyReminder(store);
      deepEqual(await onlyReminder(await lab.reopen(store)), before);
    },
  },
  {
    promise: "refuses more than 1,000 reminders of one agent, and does not count those of the runtime",
    tryIt: async (lab) => {
      const store = await lab.open();
      const thousand = Array.from({ length: 1_000 }, (_, index) => reminderAt(String(index), index));
      await committed(store, commitOf({ reminders: thousand }));
      equal((await commitOne(store, commitOf({ reminders: [reminderAt("one more", 1)] }))).at, "refused");
      await committed(store, commitOf({ reminders: [reminderAt("7", 1), reminderAt("troupe.run.1", 1)] }));
      await committed(store, commitOf({ reminders: [{ at: "cancel", name: "7" }, reminderAt("one more", 1)] }));
      await committed(store, commitOf({ agent: { type: "counter", key: "other" }, reminders: [reminderAt("7", 1)] }));
      equal((await store.reminders(agent)).length, 1_001);
    },
  },
];

const mailCases: readonly StoreCase[] = [
  {
    promise: "keeps mail in the order of its commits, and has it after it was opened again",
    tryIt: async (lab) => {
      const store = await lab.open();
      const receiver = { type: "b", key: "k" };
      await committed(store, putOf("x", { mail: [mailOf("1", receiver), mailOf("2")] }));
      await committed(store, commitOf({ mail: [{ ...mailOf("3"), kind: "event" }] }));
      const mail = await store.mail({ limit: 10 });
      deepEqual(
        mail.map(({ id }) => id),
        ["1", "2", "3"],
      );
      const [first] = mail;
      ok(first !== undefined && first.place > 0);
      const nowMs = lab.clock.wallNow();
      deepEqual(first, {
        ...{ id: "1", receiver, kind: "call", frame: bytesOf("1"), sender: agent },
        ...{ place: first.place, keptAtMs: nowMs, attempts: 0, nextMs: nowMs },
      });
      equal(mail[2]?.kind, "event");
      deepEqual(await (await lab.reopen(store)).mail({ limit: 10 }), mail);
    },
  },
  {
    promise: "gives each message of mail a higher place, also after the last one was settled",
    tryIt: async (lab) => {
      let store = await lab.open();
      let highest = 0;
      for (let round = 0; round < 4; round += 1) {
        await committed(store, commitOf({ mail: [mailOf(String(round))] }));
        const [mail] = await store.mail({ limit: 1 });
        ok(mail !== undefined && mail.place > highest);
        highest = mail.place;
        await store.settle({ ticks: [], mail: [{ place: mail.place, nextMs: undefined, attempts: 1 }] });
        if (round === 1) store = await lab.reopen(store);
      }
      deepEqual(await store.mail({ limit: 1 }), []);
    },
  },
  {
    promise: "reads mail in pages and by the shard of its receiver",
    tryIt: async (lab) => {
      const store = await lab.open();
      const mail = Array.from({ length: 20 }, (_, index) => mailOf(String(index), { type: "b", key: String(index) }));
      await committed(store, commitOf({ mail }));
      const ids: string[] = [];
      let after: number | undefined;
      for (;;) {
        const page = await store.mail({ limit: 3, after });
        if (page.length === 0) break;
        ids.push(...page.map(({ id }) => id));
        after = page.at(-1)?.place;
      }
      deepEqual(
        ids,
        mail.map(({ id }) => id),
      );
      const shard = shardOf({ type: "b", key: "5" });
      const inShard = await store.mail({ limit: 20, shards: [shard] });
      ok(inShard.some(({ id }) => id === "5"));
      for (const { receiver } of inShard) equal(shardOf(receiver), shard);
    },
  },
  {
    promise: "settles mail: postpones it in its place, or drops it; what is gone stays gone",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, commitOf({ mail: [mailOf("1"), mailOf("2"), mailOf("3")] }));
      const [first, second] = await store.mail({ limit: 2 });
      ok(first !== undefined && second !== undefined);
      const done = [
        { place: first.place, nextMs: 77, attempts: 3 },
        { place: second.place, nextMs: undefined, attempts: 1 },
      ];
      await store.settle({ ticks: [], mail: done });
      await store.settle({ ticks: [], mail: [{ place: second.place, nextMs: 1, attempts: 1 }] });
      const left = await store.mail({ limit: 10 });
      deepEqual(
        left.map(({ id, nextMs, attempts }) => [id, nextMs, attempts]),
        [
          ["1", 77, 3],
          ["3", lab.clock.wallNow(), 0],
        ],
      );
    },
  },
];

const rememberedCases: readonly StoreCase[] = [
  {
    promise: "finds a remembered message by agent, id and principal",
    tryIt: async (lab) => {
      const store = await lab.open();
      const remembered = [rememberedOf("1", "of p"), rememberedOf("1", "of q", "q"), rememberedMail("mail")];
      await committed(store, putOf("x", { remembered }));
      const found = async (id: string, principal: string, name = agent) => store.remembered(name, id, principal);
      deepEqual(await found("1", "p"), rememberedOf("1", "of p"));
      deepEqual(await found("1", "q"), rememberedOf("1", "of q", "q"));
      const mail = await found("mail", "p");
      ok(mail !== undefined && mail.answer === undefined);
      equal(await found("1", ""), undefined);
      equal(await found("2", "p"), undefined);
      equal(await found("1", "p", { type: "counter", key: "other" }), undefined);
      await committed(store, commitOf({ remembered: [rememberedOf("1", "again")] }));
      deepEqual(await found("1", "p"), rememberedOf("1", "again"));
      deepEqual(await found("1", "q"), rememberedOf("1", "of q", "q"));
    },
  },
  {
    promise: "remembers an empty answer as an answer",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, commitOf({ remembered: [rememberedOf("1", "")] }));
      deepEqual(await store.remembered(agent, "1", "p"), rememberedOf("1", ""));
    },
  },
  {
    promise: "remembers the newest 64 answers of an agent, and apart from them its newest 64 ids of mail",
    tryIt: async (lab) => {
      const store = await lab.open();
      for (let index = 0; index < 70; index += 1) {
        lab.clock.advance(1);
        const remembered = [rememberedOf(`call ${index}`), rememberedMail(`mail ${index}`)];
        await committed(store, commitOf({ remembered }));
      }
      for (let index = 0; index < 70; index += 1) {
        const isKept = index >= 6;
        equal((await store.remembered(agent, `call ${index}`, "p")) !== undefined, isKept, `call ${index}`);
        equal((await store.remembered(agent, `mail ${index}`, "p")) !== undefined, isKept, `mail ${index}`);
      }
    },
  },
  {
    promise: "remembers the newest of many in one commit",
    tryIt: async (lab) => {
      const store = await lab.open();
      const remembered = Array.from({ length: 65 }, (_, index) => rememberedOf(String(index)));
      await committed(store, commitOf({ remembered }));
      equal(await store.remembered(agent, "0", "p"), undefined);
      ok(await store.remembered(agent, "1", "p"));
      ok(await store.remembered(agent, "64", "p"));
    },
  },
  {
    promise: "forgets a remembered message after 24 hours",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("x", { remembered: [rememberedOf("1"), rememberedMail("mail")] }));
      lab.clock.advance(dayMs - 1);
      ok(await store.remembered(agent, "1", "p"));
      ok(await store.remembered(agent, "mail", "p"));
      lab.clock.advance(1);
      equal(await store.remembered(agent, "1", "p"), undefined);
      equal(await store.remembered(agent, "mail", "p"), undefined);
      equal(textOf((await loaded(store)).data), "x");
    },
  },
];

/** Reminders, mail and remembered messages. */
export const effectCases: readonly StoreCase[] = [...reminderCases, ...mailCases, ...rememberedCases];
