import type { StateStore } from "../../src/core/internal.ts";

const long = "x".repeat(6_000);
const [byType, byKey] = [
  { type: long, key: "k" },
  { type: "a", key: long },
];
const message = { id: long, kind: "call", frame: new Uint8Array(1), sentAtMs: 0 } as const;
const short = { type: "a", key: "k" };
const tick = { agent: short, name: long, seq: 1, nextDueMs: 1, attempts: 0 };
const letters = Array.from({ length: 600 }, (_, index) => String(1_000_000_000 + index));

/** Questions to a store, each with texts of at least 6,000 bytes. A store may keep a hash instead of the name of an agent. */
export const longQuestions: Readonly<Record<string, (store: StateStore) => Promise<unknown> | undefined>> = {
  "remembers a message": (store) => store.remembered(short, long, ""),
  "remembers a principal": (store) => store.remembered(short, "1", long),
  "lists a type": (store) => store.list({ type: long }),
  "lists a prefix": (store) => store.list({ keyPrefix: long }),
  "lists after a name": (store) => store.list({ after: byKey }),
  "reads reminders after a name": (store) => store.reminders(short, { after: long }),
  "settles a name": (store) => store.settle({ ticks: [tick], mail: [] }),
  "settles a rule": (store) => store.settle({ ticks: [{ ...tick, name: "r", rule: long }], mail: [] }),
  "appends an id": (store) => store.log?.append(short, message),
  "appends to a mailbox": (store) => store.log?.append(byType, { ...message, id: "1" }),
  "buries for a reason": (store) =>
    store.log?.bury(
      { ...message, id: "1", mailbox: short, place: 0, priorTakeovers: 0 },
      { code: "expired", text: long, attempts: 1 },
    ),
  "replays letters": (store) => store.log?.replay(letters),
  "drops letters": (store) => store.log?.drop(letters),
};

/** Such questions to a store that keeps the names of agents. */
export const longNames: typeof longQuestions = {
  "loads an agent": (store) => store.load(byKey),
  "compares with a version": (store) => store.load(short, { unless: long }),
  "remembers for an agent": (store) => store.remembered(byType, "1", ""),
  "reads reminders of an agent": (store) => store.reminders(byKey),
  "reads dead letters of a mailbox": (store) => store.log?.deadLetters({ mailbox: byKey, limit: 1 }),
  "reads dead letters after one": (store) => store.log?.deadLetters({ after: long, limit: 1 }),
};

/** Asks a question twice at once. Returns the codes with which the store refuses; empty: it answers. */
export async function askTwice(store: StateStore, ask: (store: StateStore) => Promise<unknown> | undefined) {
  const results = await Promise.allSettled([ask(store), ask(store)]);
  return results.map((one) => (one.status === "fulfilled" ? "" : one.reason.storeCode));
}
