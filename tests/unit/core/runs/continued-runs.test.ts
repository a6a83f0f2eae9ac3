import { expect, test } from "vitest";
import { type AgentRuntime, type MessageContext, SingleThreadedAgentRuntime } from "../../../../src/core/index.ts";
import type { Commit } from "../../../../src/core/internal.ts";
import { MemoryStateStore, type StateStore } from "../../../../src/storage/index.ts";
import { Gate } from "../../../support/gate.ts";
import { AskPoem, type Muse, poet, readAll, SteadyPoet } from "../../../support/kept-poets.ts";
import { Opened } from "../../../support/opened.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

type OnLine = SteadyPoet["onLine"];

async function open(
  opened: Opened,
  stateStore: StateStore,
  onLine: OnLine,
  { muse, runAhead = 0 }: { readonly muse?: Muse; readonly runAhead?: number } = {},
) {
  const runtime = new SingleThreadedAgentRuntime({ stateStore, logger: new RecordingLogger() });
  // A disposal would wait for handlers that hang.
  opened.use({ [Symbol.asyncDispose]: () => runtime.close() });
  const made: SteadyPoet[] = [];
  const make = () => {
    const agent = new SteadyPoet(onLine, muse);
    made.push(agent);
    return agent;
  };
  await SteadyPoet.register(runtime, "poet", make, { runAhead });
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

/** A store that tells what it is asked to write. */
class WatchedStore extends MemoryStateStore {
  readonly written: Commit[] = [];

  override commit(all: readonly Commit[]) {
    this.written.push(...all);
    return super.commit(all);
  }
}

test("an agent with continueRun goes on with a run whose worker was lost: its readers have each chunk once, and the answer", async () => {
  await using opened = new Opened();
  const store = new MemoryStateStore();
  const first = await open(opened, store, (line, context) => (line === 3 ? hanging(context) : undefined));
  await first.runtime.startRun(AskPoem({ lines: 5 }), poet, { id: "r", owner: "bob" });
  await first.runtime.startRun(AskPoem({ lines: 5 }), poet, { id: "other" });
  const chunks = first.runtime.attachRun(poet, "r", { message: AskPoem, owner: "bob" }).read()[Symbol.asyncIterator]();
  for (let read = 0; read < 3; read += 1) await chunks.next();
  const next = await open(opened, await lose(store), () => undefined);
  const lines = Array.from({ length: 5 }, (_, line) => `${line} line ${line}`);
  expect(await readAll(next.runtime, "r", { owner: "bob" })).toEqual([...lines, "poem 1"]);
  expect(await next.runtime.attachRun(poet, "r", { owner: "bob" }).status()).toMatchObject({
    status: "completed",
    next: 5,
  });
  const [{ id, owner, next: from, takeovers, message } = {}] = next.made[0]?.continued ?? [];
  expect({ id, owner, from, takeovers, message }).toEqual({
    ...{ id: "r", owner: "bob", from: 3, takeovers: 1, message: { lines: 5 } },
  });
});

test("a run that five workers in a row could not end fails as too-many-takeovers in place of the sixth", async () => {
  await using opened = new Opened();
  let store = new MemoryStateStore();
  const begun = new Gate();
  const first = await open(opened, store, (_line, context) =>
    Promise.resolve(begun.open()).then(() => hanging(context)),
  );
  await first.runtime.startRun(AskPoem({ lines: 1 }), poet, { id: "r" });
  await begun.opened;
  for (let takeovers = 1; takeovers <= 5; takeovers += 1) {
    store = await lose(store);
    const again = new Gate();
    const next = await open(opened, store, (_line, context) =>
      Promise.resolve(again.open()).then(() => hanging(context)),
    );
    expect(await next.runtime.attachRun(poet, "r").status()).toMatchObject({ status: "working" });
    await again.opened;
    expect(next.made[0]?.continued[0]?.takeovers).toBe(takeovers);
  }
  const last = await open(opened, await lose(store), () => undefined);
  expect(await readAll(last.runtime, "r")).toEqual(["too-many-takeovers"]);
  const { status, error } = await last.runtime.attachRun(poet, "r").status();
  expect([status, error?.code]).toEqual(["failed", "too-many-takeovers"]);
  expect(last.made).toEqual([]);
});

test("saveNow in a kept run writes the chunks before it and the state with one commit, and takeovers count anew", async () => {
  await using opened = new Opened();
  const watched = new WatchedStore();
  let store: MemoryStateStore = watched;
  const first = await open(opened, store, async (line, context, agent) => {
    if (line < 2) return;
    agent.state.poems += 1;
    await agent.saveNow();
    await hanging(context);
  });
  await first.runtime.startRun(AskPoem({ lines: 9 }), poet, { id: "r" });
  await chunksRead(first.runtime, "r", 2);
  const kinds = watched.written.map(({ write, runs = [] }) => [write.at, ...runs.map(({ at }) => at)]);
  expect(kinds).toContainEqual(["put", "append", "step", "takeover"]);
  for (let taken = 0; taken < 8; taken += 1) {
    store = await lose(store);
    const again = new Gate();
    const next = await open(opened, store, async (_line, context, agent) => {
      agent.state.poems += 1;
      await agent.saveNow();
      again.open();
      await hanging(context);
    });
    expect(await next.runtime.attachRun(poet, "r").status()).toMatchObject({ status: "working", next: 2 });
    await again.opened;
    expect(next.made[0]?.continued[0]?.takeovers).toBe(1);
    expect(next.made[0]?.state.poems).toBe(taken + 2);
  }
});

test("an agent that runs ahead of its commits saves its state, and then that its run has come further", async () => {
  await using opened = new Opened();
  const store = new WatchedStore();
  const saved = new Gate();
  const onLine: OnLine = async (line, context, agent) => {
    if (line === 0) return;
    agent.state.poems = 7;
    await agent.saveNow();
    saved.open();
    await hanging(context);
  };
  const first = await open(opened, store, onLine, { runAhead: 4 });
  await first.runtime.startRun(AskPoem({ lines: 2 }), poet, { id: "r" });
  await saved.opened;
  const page = await store.readRun({ agent: { type: "poet", key: "ada" }, id: "r" }, { from: 0 });
  expect(page?.run).toMatchObject({ next: 1, takeovers: 1 });
  const kinds = store.written.map(({ write, runs = [] }) => [write.at, ...runs.map(({ at }) => at)].join(" "));
  expect(kinds.filter((kind) => kind === "put" || kind.endsWith("step takeover"))).toHaveLength(2);
});

/** A store that writes saved steps when it may. */
class SlowSteps extends MemoryStateStore {
  readonly asked = new Gate();
  readonly mayWrite = new Gate();

  override async commit(all: readonly Commit[]) {
    if (all.some(({ runs = [] }) => runs.some(({ at }) => at === "step"))) {
      this.asked.open();
      await this.mayWrite.opened;
    }
    return super.commit(all);
  }
}

test("a run that is cancelled while its turn saves stays cancelled, and its agent lives on", async () => {
  await using opened = new Opened();
  const store = new SlowSteps();
  const onLine: OnLine = async (line, _context, agent) => {
    if (line !== 1) return;
    agent.state.poems = 7;
    await agent.saveNow();
  };
  const { runtime, made } = await open(opened, store, onLine);
  const run = await runtime.startRun(AskPoem({ lines: 4 }), poet, { id: "r" });
  await store.asked.opened;
  const cancelled = run.cancel("enough");
  // An end that does not wait for the step is written now.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  store.mayWrite.open();
  expect((await cancelled).status).toBe("cancelled");
  const other = await runtime.startRun(AskPoem({ lines: 0 }), poet, { id: "other" });
  expect(await other.answer()).toEqual({ text: "poem 8" });
  expect(made).toHaveLength(1);
});
