import { expect, test } from "vitest";
import { type AgentRuntime, type MessageContext, SingleThreadedAgentRuntime } from "../../../../src/core/index.ts";
import type { Commit } from "../../../../src/core/internal.ts";
import { MemoryStateStore, type StateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { Gate } from "../../../support/gate.ts";
import { GatedStore } from "../../../support/gated-store.ts";
import { AskPoem, KeptPoet, type Muse, poet, readAll } from "../../../support/kept-poets.ts";
import { Opened } from "../../../support/opened.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

async function open(opened: Opened, stateStore: StateStore, muse: Muse = {}, clock?: ManualClock) {
  const runtime = new SingleThreadedAgentRuntime({
    stateStore,
    logger: new RecordingLogger(),
    ...(clock && { clock }),
  });
  // A disposal would wait for handlers that hang.
  opened.use({ [Symbol.asyncDispose]: () => runtime.close() });
  const made: KeptPoet[] = [];
  await KeptPoet.register(runtime, "poet", () => {
    const agent = new KeptPoet(muse);
    made.push(agent);
    return agent;
  });
  await runtime.start();
  return { runtime, made };
}

/** The process of the store's holder is lost: what it writes from now on is refused. */
async function lose(store: MemoryStateStore): Promise<MemoryStateStore> {
  await store.close();
  return store.reopen();
}

/** Ends with the abort of its context. */
function hanging({ signal }: MessageContext): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

/** Resolves when so many chunks of a run are written. */
async function chunksRead(runtime: AgentRuntime, id: string, count: number): Promise<void> {
  const chunks = runtime.attachRun(poet, id, { message: AskPoem }).read()[Symbol.asyncIterator]();
  for (let read = 0; read < count; read += 1) await chunks.next();
  await chunks.return?.(undefined);
}

test("another runtime over the same store reads a run of a persistent agent that has ended: chunks, offsets, answer and status", async () => {
  await using opened = new Opened();
  const store = new MemoryStateStore();
  const first = await open(opened, store);
  const run = await first.runtime.startRun(AskPoem({ lines: 25 }), poet, { id: "r" });
  const all = await readAll(first.runtime, "r");
  expect(all).toEqual([...Array.from({ length: 25 }, (_, line) => `${line} line ${line}`), "poem 1"]);
  const { startedAt } = await run.status();
  const next = await open(opened, await lose(store));
  expect(await readAll(next.runtime, "r")).toEqual(all);
  expect(await readAll(next.runtime, "r", { from: 23 })).toEqual(all.slice(23));
  const status = await next.runtime.attachRun(poet, "r").status();
  expect(status).toMatchObject({ status: "completed", first: 0, next: 25, startedAt });
  expect((await next.runtime.listRuns(poet)).runs.map(({ id }) => id)).toEqual(["r"]);
  expect(next.made[0]?.begun ?? 0).toBe(0);
});

test("a run whose handler had begun when its worker was lost fails with the reason, behind the chunks that were written", async () => {
  await using opened = new Opened();
  const store = new MemoryStateStore();
  const first = await open(opened, store, { after: hanging });
  await first.runtime.startRun(AskPoem({ lines: 3 }), poet, { id: "r" });
  await chunksRead(first.runtime, "r", 3);
  const next = await open(opened, await lose(store));
  expect(await readAll(next.runtime, "r")).toEqual(["0 line 0", "1 line 1", "2 line 2", "disconnected"]);
  const { status, error } = await next.runtime.attachRun(poet, "r").status();
  expect([status, error?.code]).toEqual(["failed", "disconnected"]);
  expect(error?.message).toContain("Its handler had begun");
  expect(next.made[0]?.begun ?? 0).toBe(0);
});

test("a run whose handler had not begun when its worker was lost begins at the next one", async () => {
  await using opened = new Opened();
  const store = new MemoryStateStore();
  const busy = new Gate();
  const first = await open(opened, store, {
    before: (context) => {
      busy.open();
      return hanging(context);
    },
  });
  await first.runtime.startRun(AskPoem({ lines: 0 }), poet, { id: "busy" });
  await busy.opened;
  await first.runtime.startRun(AskPoem({ lines: 2 }), poet, { id: "waits", owner: "bob" });
  const next = await open(opened, await lose(store));
  expect(await readAll(next.runtime, "waits", { owner: "bob" })).toEqual(["0 line 0", "1 line 1", "poem 1"]);
  expect(await readAll(next.runtime, "waits")).toEqual(["not-found"]);
  expect(await readAll(next.runtime, "busy")).toEqual(["disconnected"]);
});

test("a run that nobody reads goes on at the next worker within 15 s, and its agent is not asked again after that", async () => {
  await using opened = new Opened();
  const clock = new ManualClock(1_000_000);
  const store = new MemoryStateStore({ clock });
  const busy = new Gate();
  const first = await open(
    opened,
    store,
    { before: (context) => Promise.resolve(busy.open()).then(() => hanging(context)) },
    clock,
  );
  await first.runtime.startRun(AskPoem({ lines: 0 }), poet, { id: "busy" });
  await busy.opened;
  await first.runtime.startRun(AskPoem({ lines: 0 }), poet, { id: "waits" });
  const reopened = await lose(store);
  const ended = new Gate();
  const next = await open(opened, reopened, { after: () => ended.open() }, clock);
  await advanceUntil(clock, ended.opened);
  await next.runtime.attachRun(poet, "waits", { message: AskPoem }).answer();
  const statuses = (await next.runtime.listRuns(poet)).runs.map(({ id, status }) => `${id} ${status}`);
  expect(statuses.sort()).toEqual(["busy failed", "waits completed"]);
  await advanceUntil(clock, noReminder(reopened));
});

test("the end of a run and the last state of its agent are one commit", async () => {
  await using opened = new Opened();
  const commits: Commit[] = [];
  class Watched extends MemoryStateStore {
    override commit(all: readonly Commit[]) {
      commits.push(...all);
      return super.commit(all);
    }
  }
  const { runtime } = await open(opened, new Watched());
  await (await runtime.startRun(AskPoem({ lines: 1 }), poet)).answer();
  const ends = commits.filter(({ runs = [] }) => runs.some(({ at }) => at === "end"));
  expect(ends.map(({ write }) => write.at)).toEqual(["put"]);
});

test("a reader sees a chunk when it is written, not before", async () => {
  await using opened = new Opened();
  const store = new GatedStore();
  const { runtime } = await open(opened, store);
  const starting = runtime.startRun(AskPoem({ lines: 1 }), poet, { id: "r" });
  for (const kind of ["create", "takeover"]) {
    const held = await store.commits.take();
    expect(held.commit.runs?.map(({ at }) => at)).toEqual([kind]);
    held.write();
  }
  const run = await starting;
  const append = await store.commits.take();
  expect(append.commit.runs?.map(({ at }) => at)).toEqual(["append"]);
  expect(await run.status()).toMatchObject({ status: "working", next: 0 });
  append.write();
  const end = await store.commits.take();
  expect(await run.status()).toMatchObject({ status: "working", next: 1 });
  store.openGate();
  end.write();
  expect(await readAll(runtime, "r")).toEqual(["0 line 0", "poem 1"]);
});

test("a cancelled run stays cancelled at the next worker", async () => {
  await using opened = new Opened();
  const store = new MemoryStateStore();
  const first = await open(opened, store, { after: hanging });
  const run = await first.runtime.startRun(AskPoem({ lines: 1 }), poet, { id: "r" });
  await chunksRead(first.runtime, "r", 1);
  expect((await run.cancel("enough")).status).toBe("cancelled");
  const next = await open(opened, await lose(store));
  expect(await readAll(next.runtime, "r")).toEqual(["0 line 0", "cancelled"]);
});

test("destroyAgent ends the runs of its agent and drops them, here and in the store", async () => {
  await using opened = new Opened();
  const store = new MemoryStateStore();
  const { runtime } = await open(opened, store, { after: hanging });
  const run = await runtime.startRun(AskPoem({ lines: 1 }), poet, { id: "works" });
  const reader = run[Symbol.asyncIterator]();
  await reader.next();
  await runtime.destroyAgent(poet);
  await expect(reader.next()).rejects.toMatchObject({ code: "gone" });
  expect((await store.listRuns()).runs).toEqual([]);
  expect((await runtime.listRuns(poet)).runs).toEqual([]);
  await expect(runtime.attachRun(poet, "works").status()).rejects.toMatchObject({ code: "not-found" });
});

test("a start that is repeated at the next worker finds the same run, and another message under its id is refused", async () => {
  await using opened = new Opened();
  const store = new MemoryStateStore();
  const first = await open(opened, store);
  await (await first.runtime.startRun(AskPoem({ lines: 1 }), poet, { id: "r" })).answer();
  const next = await open(opened, await lose(store));
  const again = await next.runtime.startRun(AskPoem({ lines: 1 }), poet, { id: "r" });
  expect(await again.answer()).toEqual({ text: "poem 1" });
  await expect(next.runtime.startRun(AskPoem({ lines: 2 }), poet, { id: "r" })).rejects.toMatchObject({
    code: "already-exists",
  });
});

async function noReminder(store: StateStore): Promise<void> {
  while ((await store.reminders(poet)).length > 0) await new Promise((resolve) => setImmediate(resolve));
}

/** Moves the clock by seconds until something has happened. */
async function advanceUntil(clock: ManualClock, happened: Promise<unknown>): Promise<void> {
  let isOver = false;
  void happened.then(() => {
    isOver = true;
  });
  for (let seconds = 0; !isOver; seconds += 1) {
    if (seconds > 10_000) throw new Error("it does not happen");
    clock.advance(1_000);
    for (let turn = 0; turn < 20 && !isOver; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
