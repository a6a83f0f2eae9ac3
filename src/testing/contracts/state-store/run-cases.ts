import { deepEqual, equal, ok } from "node:assert/strict";
import {
  type AgentName,
  type RunChange,
  type RunCreation,
  type RunPage,
  type RunState,
  type StateStore,
  type StoredRun,
  storeLimits,
} from "../../../core/internal.ts";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  loaded,
  nothing,
  putOf,
  reminderAt,
  type StoreCase,
  textOf,
} from "./store-case.ts";

const hourMs = 60 * 60 * 1_000;

function creation(id: string, parts: Partial<RunCreation> = {}): RunCreation {
  const texts = { principal: "p", owner: "ada", message: bytesOf(`ask ${id}`) };
  return { at: "create", id, ...texts, depth: 2, startedAtMs: 1_000, keepMs: hourMs, ...parts };
}

function chunksOf(id: string, from: number, ...texts: readonly string[]): RunChange {
  return { at: "append", id, from, chunks: texts.map(bytesOf) };
}

function ending(id: string, status: Exclude<RunState, "working"> = "completed", outcome = "answer"): RunChange {
  return { at: "end", id, status, outcome: bytesOf(outcome) };
}

async function write(store: StateStore, ...runs: readonly RunChange[]): Promise<void> {
  await committed(store, commitOf({ runs }));
}

async function read(store: StateStore, id: string, query?: Parameters<StateStore["readRun"]>[1]): Promise<RunPage> {
  const page = await store.readRun({ agent, id }, query);
  ok(page !== undefined, `expected a run ${id}`);
  return page;
}

async function misfits(store: StateStore, id: string, ...runs: readonly RunChange[]): Promise<void> {
  const outcome = await commitOne(store, commitOf({ runs }));
  ok(outcome.at === "conflict", `expected a conflict, but it is ${JSON.stringify(outcome)}`);
  equal(outcome.run, id);
}

const idsOf = (runs: readonly StoredRun[]): readonly string[] => runs.map(({ agent: { key }, id }) => `${key} ${id}`);
const textsOf = ({ chunks }: RunPage): readonly string[] => chunks.map(textOf);

/** Promises about the runs that a store keeps. */
export const runCases: readonly StoreCase[] = [
  {
    promise: "keeps a run with its message, its chunks and its outcome, also when it is opened again",
    tryIt: async (lab) => {
      const first = await lab.open();
      await write(first, creation("r\0ü", { deadlineMs: 9_000 }), chunksOf("r\0ü", 0, "a", "", "c"));
      lab.clock.advance(5);
      await write(first, chunksOf("r\0ü", 3, "d"), ending("r\0ü", "failed", "why"));
      const store = await lab.reopen(first);
      const { run, message, from, chunks, outcome } = await read(store, "r\0ü", { message: true });
      const { updatedAtMs, ...rest } = run;
      const texts = { id: "r\0ü", principal: "p", owner: "ada", status: "failed" } as const;
      const numbers = { depth: 2, startedAtMs: 1_000, deadlineMs: 9_000, keepMs: hourMs };
      const bytes = 3 + 4 * storeLimits.runChunkBytes;
      deepEqual(rest, { agent, ...texts, ...numbers, first: 0, next: 4, bytes, takeovers: 0 });
      equal(updatedAtMs, lab.clock.wallNow());
      deepEqual([message && textOf(message), from, chunks.map(textOf)], ["ask r\0ü", 0, ["a", "", "c", "d"]]);
      equal(outcome && textOf(outcome), "why");
      equal((await read(store, "r\0ü")).message, undefined);
      equal(await store.readRun({ agent, id: "other" }), undefined);
    },
  },
  {
    promise: "writes runs together with the record, or neither",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("1", { runs: [creation("a"), chunksOf("a", 0, "x")] }));
      equal(textOf((await loaded(store)).data), "1");
      const stale = await commitOne(
        store,
        putOf("2", { expected: nothing, runs: [chunksOf("a", 1, "y"), creation("b")] }),
      );
      equal(stale.at, "conflict");
      const misfit = await commitOne(store, putOf("2", { runs: [creation("b"), chunksOf("a", 5, "y")] }));
      ok(misfit.at === "conflict" && misfit.run === "a");
      equal(misfit.eTag, (await loaded(store)).eTag);
      deepEqual([textOf((await loaded(store)).data), textsOf(await read(store, "a"))], ["1", ["x"]]);
      equal(await store.readRun({ agent, id: "b" }), undefined);
    },
  },
  {
    promise: "refuses a change that does not fit its run, as a conflict that names it",
    tryIt: async (lab) => {
      const store = await lab.open();
      await write(store, creation("a"), creation("over"), ending("over"));
      await misfits(store, "a", creation("a"));
      await misfits(store, "over", creation("over"));
      await misfits(store, "a", chunksOf("a", 1, "x"));
      for (const change of [
        chunksOf("over", 0, "x"),
        ending("over"),
        { at: "takeover", id: "over" },
        { at: "step", id: "over" },
      ] as const) {
        await misfits(store, "over", change);
      }
      await misfits(store, "none", { at: "step", id: "none" });
      await misfits(store, "a", ending("a"), chunksOf("a", 0, "late"));
      equal((await read(store, "a")).run.status, "working");
    },
  },
  {
    promise: "counts takeovers, and a step sets their count to 0",
    tryIt: async (lab) => {
      const store = await lab.open();
      const takeover = { at: "takeover", id: "a" } as const;
      await write(store, creation("a"), takeover, takeover);
      equal((await read(store, "a")).run.takeovers, 2);
      await write(store, { at: "step", id: "a" }, takeover);
      equal((await read(store, "a")).run.takeovers, 1);
    },
  },
  {
    promise: "reads a run in pages from any place, and the outcome with the last one",
    tryIt: async (lab) => {
      const store = await lab.open();
      const texts = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(100));
      await write(store, creation("a"), chunksOf("a", 0, ...texts), ending("a"));
      const twoChunks = 2 * (100 + storeLimits.runChunkBytes);
      const pages: RunPage[] = [];
      for (let from = 0; from < texts.length; from += pages.at(-1)?.chunks.length ?? texts.length) {
        pages.push(await read(store, "a", { from, maxBytes: twoChunks }));
      }
      deepEqual(pages.flatMap(textsOf), texts);
      deepEqual(
        pages.map(({ outcome }) => outcome !== undefined),
        [false, false, false, false, true],
      );
      const one = await read(store, "a", { from: 3, maxBytes: 1 });
      deepEqual([one.from, textsOf(one), one.outcome], [3, [texts[3]], undefined]);
      const behind = await read(store, "a", { from: 10 });
      deepEqual([behind.chunks.length, behind.outcome && textOf(behind.outcome)], [0, "answer"]);
    },
  },
  {
    promise: "drops the oldest chunks of a run beyond its bytes, and says where the kept ones begin",
    tryIt: async (lab) => {
      const store = await lab.open();
      const quarter = (byte: string) => byte.repeat(storeLimits.runBytes / 4 - storeLimits.runChunkBytes);
      await write(store, creation("a"), chunksOf("a", 0, ...["a", "b", "c", "d"].map(quarter)));
      equal((await read(store, "a")).run.first, 0);
      await write(store, chunksOf("a", 4, "small", "too"));
      const page = await read(store, "a", { from: 0 });
      deepEqual([page.run.first, page.run.next, page.from], [1, 6, 1]);
      deepEqual(page.chunks.map(({ length }) => length).slice(-2), [5, 3]);
      await write(store, chunksOf("a", 6, "z".repeat(2 * storeLimits.runBytes)));
      const last = await read(store, "a");
      deepEqual([last.run.first, last.run.next, last.chunks.length], [6, 7, 1]);
      await write(store, chunksOf("a", 7, "end"));
      deepEqual(textsOf(await read(store, "a")), ["end"]);
    },
  },
  {
    promise: "drops a run after the time for which it is kept; a run that works stays",
    tryIt: async (lab) => {
      const store = await lab.open();
      await write(store, creation("works", { keepMs: 10 }), creation("ends", { keepMs: 10 }), ending("ends"));
      lab.clock.advance(9);
      equal((await read(store, "ends")).run.status, "completed");
      lab.clock.advance(1);
      equal(await store.readRun({ agent, id: "ends" }), undefined);
      deepEqual(idsOf((await store.listRuns()).runs), ["k works"]);
    },
  },
  {
    promise: "lists runs by agent and id, in pages, filtered by type, agent and state",
    tryIt: async (lab) => {
      const store = await lab.open();
      const names: readonly AgentName[] = [
        { type: "b", key: "1" },
        { type: "a", key: "2" },
        { type: "a", key: "1" },
      ];
      for (const name of names) {
        const runs = [creation("y"), creation("x"), ending("x")];
        await committed(store, commitOf({ agent: name, runs }));
      }
      const all = ["1 x", "1 y", "2 x", "2 y", "1 x", "1 y"];
      deepEqual(idsOf((await store.listRuns()).runs), all);
      const paged: StoredRun[] = [];
      for (;;) {
        const { runs, isLast } = await store.listRuns({ limit: 2, after: paged.at(-1) });
        paged.push(...runs);
        if (isLast) break;
      }
      deepEqual(idsOf(paged), all);
      deepEqual(idsOf((await store.listRuns({ type: "a", status: "working" })).runs), ["1 y", "2 y"]);
      const ofAgent = await store.listRuns({
        agent: { type: "a", key: "2" },
        after: { agent: { type: "a", key: "2" }, id: "x" },
      });
      deepEqual([idsOf(ofAgent.runs), ofAgent.isLast], [["2 y"], true]);
    },
  },
  {
    promise: "deletes the runs of an agent with its record; those of the same commit stay",
    tryIt: async (lab) => {
      const store = await lab.open();
      await committed(store, putOf("1", { runs: [creation("a"), chunksOf("a", 0, "old"), creation("b")] }));
      await committed(store, commitOf({ write: { at: "delete" }, runs: [creation("a")] }));
      deepEqual(idsOf((await store.listRuns()).runs), ["k a"]);
      deepEqual(textsOf(await read(store, "a")), []);
      await committed(store, commitOf({ write: { at: "delete" } }));
      deepEqual((await store.listRuns()).runs, []);
    },
  },
  {
    promise: "refuses more runs of one agent that work than its limit, and keeps as many that have ended",
    tryIt: async (lab) => {
      const store = await lab.open();
      const ids = Array.from({ length: storeLimits.runs }, (_, index) => `r${index}`);
      await write(store, ...ids.map((id) => creation(id)));
      const refused = await commitOne(store, putOf("1", { runs: [creation("one more")] }));
      ok(refused.at === "refused" && refused.limit.includes("runs of one agent"), JSON.stringify(refused));
      equal(await store.load(agent), undefined);
      await write(store, ending("r0"));
      lab.clock.advance(1);
      await write(store, ...ids.slice(1).map((id) => ending(id)), creation("last"), ending("last"));
      equal(await store.readRun({ agent, id: "r0" }), undefined);
      equal((await read(store, "last")).run.status, "completed");
    },
  },
  {
    promise: "refuses an id, an owner, a principal or a number of chunks beyond its limit",
    tryIt: async (lab) => {
      const store = await lab.open();
      const long = "x".repeat(storeLimits.runIdCharacters + 1);
      const owner = "x".repeat(storeLimits.nameCharacters + 1);
      for (const run of [creation(long), creation("a", { owner }), creation("a", { principal: owner })]) {
        const outcome = await commitOne(store, commitOf({ runs: [run], reminders: [reminderAt("r", 1)] }));
        equal(outcome.at, "refused");
      }
      await write(store, creation("many"));
      const many = Array.from({ length: storeLimits.runBytes / storeLimits.runChunkBytes + 1 }, () => "");
      equal((await commitOne(store, commitOf({ runs: [chunksOf("many", 0, ...many)] }))).at, "refused");
      deepEqual(
        [(await store.reminders(agent)).length, (await store.listRuns()).runs.map(({ next }) => next)],
        [0, [0]],
      );
    },
  },
];
