import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryStateStore, type RunChange, type StateStore } from "../../src/core/internal.ts";
import { openSqliteStoreWith } from "../../src/storage/sqlite/open-sqlite-store.ts";
import { bytesOf } from "../../src/testing/contracts/state-store/store-case.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { PostgresServer, postgresAbsence } from "../support/postgres-server.ts";
import { newSchema, PostgresStores } from "../support/postgres-stores.ts";
import { WatchedDriver } from "../support/sqlite-stores.ts";

const name = fc.record({ type: fc.constantFrom("a", "b"), key: fc.constantFrom("", "x", "\0", "é") });
const few = fc.integer({ min: 0, max: 3 });
const epoch = fc.option(fc.record({ generation: few, era: few, number: few }), { nil: undefined });
const data = fc.string({ maxLength: 5 });

const commit = fc.record({
  agent: name,
  epoch,
  // "newest" and "older" are eTags that the run has seen.
  expected: fc.constantFrom("anything", "nothing", "newest", "older"),
  write: fc.constantFrom("put", "put", "put", "keep", "delete"),
  data,
  reminders: fc.array(fc.record({ name: fc.constantFrom("r", "s"), dueMs: few, isSet: fc.boolean(), data }), {
    maxLength: 2,
  }),
  mail: fc.array(fc.record({ receiver: name, isCall: fc.boolean(), data }), { maxLength: 2 }),
  runs: fc.array(
    fc.record({
      kind: fc.constantFrom("create", "append", "append", "takeover", "step", "end"),
      id: fc.constantFrom("1", "2"),
      // Of 1 and 2 chunks, from the place of the last one that was written or from this one.
      from: fc.option(few, { nil: undefined }),
      data,
      isTwice: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  remembered: fc.array(
    fc.record({
      id: fc.constantFrom("1", "2"),
      principal: fc.constantFrom("", "p"),
      answer: fc.option(data, { nil: undefined }),
    }),
    { maxLength: 2 },
  ),
});

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("commit"), commits: fc.array(commit, { minLength: 1, maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("settle"), pick: fc.nat(), isOver: fc.boolean(), at: few }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait"), hours: fc.integer({ min: 1, max: 20 }) }) },
);

type Change = typeof commit extends fc.Arbitrary<infer T> ? (T extends { runs: (infer C)[] } ? C : never) : never;
type Commits = typeof commit extends fc.Arbitrary<infer T> ? readonly T[] : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One store under the run, with names for its eTags, seqs and places that are the same for each store. */
class Subject {
  readonly store: StateStore;
  readonly #clock: ManualClock;
  readonly #eTags = new Map<string, string[]>();
  readonly #names = new Map<string | number, string>();

  constructor(store: StateStore, clock: ManualClock) {
    this.store = store;
    this.#clock = clock;
  }

  async take(one: Step): Promise<unknown> {
    if ("hours" in one) return this.#clock.advance(one.hours * 60 * 60 * 1_000);
    if ("commits" in one) return this.#commit(one.commits);
    const due = await this.store.due({ beforeMs: 100, limit: 100 });
    const mail = await this.store.mail({ limit: 100 });
    const next = one.isOver ? undefined : one.at;
    const [reminder, message] = [due[one.pick % (due.length || 1)], mail[one.pick % (mail.length || 1)]];
    const ticks = reminder === undefined ? [] : [{ ...reminder, nextDueMs: next, attempts: one.at }];
    const places = message === undefined ? [] : [{ place: message.place, nextMs: next, attempts: one.at }];
    return this.store.settle({ ticks, mail: places });
  }

  /** Everything that the store shows. */
  async shown(): Promise<unknown> {
    const { store } = this;
    const { records } = await store.list();
    const names = ["a", "b"].flatMap((type) => ["", "x", "\0", "é"].map((key) => ({ type, key })));
    const ids = ["1", "2"].flatMap((id) => ["", "p"].map((principal) => ({ id, principal })));
    return this.#named({
      records: await Promise.all(records.map(async ({ agent }) => ({ agent, record: await store.load(agent) }))),
      records_: records,
      reminders: await Promise.all(names.map((agent) => store.reminders(agent))),
      due: await store.due({ beforeMs: 100, limit: 100 }),
      mail: await store.mail({ limit: 1_000 }),
      remembered: await Promise.all(
        names.map((agent) => Promise.all(ids.map((one) => store.remembered(agent, one.id, one.principal)))),
      ),
      runs: await store.listRuns(),
      working: await store.listRuns({ status: "working", type: "a" }),
      pages: await Promise.all(
        names.flatMap((agent) =>
          ["1", "2"].flatMap((id) => [
            store.readRun({ agent, id }, { message: true }),
            store.readRun({ agent, id }, { from: 1, maxBytes: 70 }),
          ]),
        ),
      ),
      stats: await store.stats(),
    });
  }

  async #commit(commits: Commits): Promise<unknown> {
    const nexts = new Map<string, number>();
    const ofRun = (agent: { type: string; key: string }, id: string): string =>
      JSON.stringify([agent.type, agent.key, id]);
    for (const { agent, id, next } of (await this.store.listRuns()).runs) nexts.set(ofRun(agent, id), next);
    const outcomes = await this.store.commit(
      commits.map((one) => {
        const eTags = this.#eTags.get(JSON.stringify(one.agent)) ?? [];
        const eTag = (one.expected === "older" ? eTags[0] : eTags.at(-1)) ?? "none";
        const isVersion = one.expected === "newest" || one.expected === "older";
        return {
          agent: one.agent,
          epoch: one.epoch,
          expected: isVersion ? { at: "version", eTag } : { at: one.expected === "nothing" ? "nothing" : "anything" },
          write:
            one.write === "put"
              ? { at: "put", contentType: one.data, schemaVersion: one.data.length, data: bytesOf(one.data) }
              : { at: one.write === "delete" ? "delete" : "keep" },
          reminders: one.reminders.map((change) =>
            change.isSet
              ? { at: "set", name: change.name, dueMs: change.dueMs, rule: change.data, message: bytesOf(change.data) }
              : { at: "cancel", name: change.name },
          ),
          mail: one.mail.map((mail) => ({
            id: mail.data,
            receiver: mail.receiver,
            kind: mail.isCall ? "call" : "event",
            frame: bytesOf(mail.data),
          })),
          runs: one.runs.map((change) => runChangeOf(change, nexts.get(ofRun(one.agent, change.id)) ?? 0)),
          remembered: one.remembered.map(({ id, principal, answer }) => ({
            id,
            principal,
            answer: answer === undefined ? undefined : bytesOf(answer),
          })),
        };
      }),
    );
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.at !== "committed" || outcome.eTag === "") continue;
      const key = JSON.stringify(commits[index]?.agent);
      this.#eTags.set(key, [...(this.#eTags.get(key) ?? []), outcome.eTag]);
    }
    return this.#named(
      outcomes.map((outcome) => (outcome.at === "conflict" ? { ...outcome, eTag: outcome.eTag ?? "" } : outcome)),
    );
  }

  /** Replaces eTags, seqs and places by numbers in the order in which they were seen first. */
  #named(value: unknown): unknown {
    const text = JSON.stringify(value, (key, part: unknown) => {
      if (part instanceof Uint8Array) return [...part];
      if ((key !== "eTag" && key !== "seq" && key !== "place") || part === "") return part;
      const id = `${key} ${part}`;
      const named = this.#names.get(id) ?? `${key} ${this.#names.size}`;
      this.#names.set(id, named);
      return named;
    });
    return JSON.parse(text);
  }
}

function runChangeOf({ kind, id, from, data: text, isTwice }: Change, next: number): RunChange {
  const bytes = bytesOf(text);
  switch (kind) {
    case "create": {
      const numbers = { depth: text.length, startedAtMs: 1, keepMs: 10 * 60 * 60 * 1_000 };
      return {
        at: "create",
        id,
        message: bytes,
        principal: text,
        owner: "",
        ...numbers,
        ...(isTwice && { deadlineMs: 7 }),
      };
    }
    case "append":
      return { at: "append", id, from: from ?? next, chunks: isTwice ? [bytes, bytes] : [bytes] };
    case "end":
      return { at: "end", id, status: isTwice ? "failed" : "completed", outcome: bytes };
    default:
      return { at: kind === "takeover" ? "takeover" : "step", id };
  }
}

const driver = await WatchedDriver.load();

/** Compares a store with that in memory, step by step. */
async function compare(steps: readonly Step[], openOther: (clock: ManualClock) => Promise<StateStore>): Promise<void> {
  const clocks = [new ManualClock(1_000_000_000_000), new ManualClock(1_000_000_000_000)] as const;
  const memory = new MemoryStateStore({ clock: clocks[0] });
  const store = await openOther(clocks[1]);
  try {
    const [one, other] = [new Subject(memory, clocks[0]), new Subject(store, clocks[1])];
    expect(await one.store.open()).toEqual(await other.store.open());
    for (const step of steps) {
      expect(await other.take(step)).toEqual(await one.take(step));
      expect(await other.shown()).toEqual(await one.shown());
    }
  } finally {
    await store.close();
  }
}

test("the stores in memory and in SQLite behave the same under any commits, settlements and waits", async () => {
  const check = (steps: readonly Step[]) =>
    compare(steps, (clock) => openSqliteStoreWith(":memory:", { thread: false, clock }, { driver }));
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), check), { numRuns: 100 });
});

test("the stores in memory and in PostgreSQL behave the same under any commits, settlements and waits", async (context) => {
  const absence = postgresAbsence();
  if (absence !== undefined) return context.skip(absence);
  await using server = await PostgresServer.start();
  const stores = new PostgresStores(() => server.url());
  const check = (steps: readonly Step[]) => compare(steps, (clock) => stores.open(newSchema(), clock));
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), check), { numRuns: 15 });
}, 120_000);
