import { join } from "node:path";
import type { AgentRuntime } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { expect, test } from "vitest";
import type { StateStore } from "../../src/core/internal.ts";
import { MemoryStateStore } from "../../src/storage/index.ts";
import { openPostgresStoreWith } from "../../src/storage/postgres/open-postgres-store.ts";
import { openSqliteStoreWith } from "../../src/storage/sqlite/open-sqlite-store.ts";
import { AskPoem, KeptPoet, poet, readAll } from "../support/kept-poets.ts";
import { NodeProgram } from "../support/node-program.ts";
import { Opened } from "../support/opened.ts";
import { PostgresServer, postgresAbsence } from "../support/postgres-server.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { newFolder } from "../support/sqlite-stores.ts";

type OpenStore = (opened: Opened) => Promise<StateStore>;

const stores: readonly (readonly [string, OpenStore])[] = [
  ["memory", async () => new MemoryStateStore()],
  ["SQLite", () => openSqliteStoreWith(join(newFolder(), "runs.db"), { thread: false }, {})],
  ["PostgreSQL", async (opened) => openPostgresStoreWith(opened.use(await PostgresServer.start()).url(), {}, {})],
];
const quiet = { logger: new RecordingLogger() };
const lines = Array.from({ length: 30 }, (_, line) => `${line} line ${line}`);

async function openHost(opened: Opened, stateStore: StateStore, address = "127.0.0.1:0", sharedTypes: string[] = []) {
  const host = opened.use(new GrpcWorkerAgentRuntimeHost(address, { ...quiet, stateStore, sharedTypes }));
  await host.start();
  return host;
}

async function join_(opened: Opened, address: string): Promise<GrpcWorkerAgentRuntime> {
  const worker = opened.use(new GrpcWorkerAgentRuntime(address, quiet));
  await worker.start();
  worker.addMessageSerializer([AskPoem]);
  return worker;
}

test.for(stores)(
  "a reader of a run whose worker is killed goes on at the next worker, with no chunk lost or twice: %s",
  async ([name, openStore], context) => {
    const absence = name === "PostgreSQL" ? postgresAbsence() : undefined;
    if (absence !== undefined) return context.skip(absence);
    await using opened = new Opened();
    const store = opened.use(await openStore(opened));
    const host = await openHost(opened, store);
    const program = opened.use(new NodeProgram("tests/e2e/programs/poet-worker.ts", [host.address]));
    await program.output(/serving/);
    const caller = await join_(opened, host.address);
    await caller.startRun(AskPoem({ lines: 30 }), poet, { id: "r" });
    await caller.startRun(AskPoem({ lines: 3 }), poet, { id: "behind" });
    const early = await readSome(caller, "r", 30);
    expect(early.seen).toEqual(lines);
    await program.stop("SIGKILL");
    const next = await join_(opened, host.address);
    await KeptPoet.register(next, "poet", () => new KeptPoet());
    // The reader that had all chunks hears the end, a late one all chunks and the end. What had not begun begins.
    await expect(early.reading.next()).rejects.toMatchObject({ code: "disconnected" });
    expect(await readAll(caller, "r")).toEqual([...lines, "disconnected"]);
    expect(await readAll(caller, "behind")).toEqual([...lines.slice(0, 3), "poem 1"]);
    const { runs } = await caller.listRuns(poet);
    expect(runs.map(({ id, status }) => `${id} ${status}`)).toEqual(["r failed", "behind completed"]);
  },
);

test("an agent of a shared type goes to another worker when its own is killed, and its runs with it", async () => {
  await using opened = new Opened();
  const host = await openHost(opened, opened.use(new MemoryStateStore()), "127.0.0.1:0", ["poet"]);
  const program = opened.use(new NodeProgram("tests/e2e/programs/poet-worker.ts", [host.address, "shared"]));
  await program.output(/serving/);
  const caller = await join_(opened, host.address);
  await caller.startRun(AskPoem({ lines: 30 }), poet, { id: "r" });
  const early = await readSome(caller, "r", 12);
  const next = await join_(opened, host.address);
  await KeptPoet.register(next, "poet", () => new KeptPoet(), { shared: true });
  await program.stop("SIGKILL");
  const rest = await readSome(caller, "r", 100, early.reading);
  expect([...early.seen, ...rest.seen].slice(0, 12)).toEqual(lines.slice(0, 12));
  expect(rest.seen.at(-1)).toBe("disconnected");
  const all = [...early.seen, ...rest.seen.slice(0, -1)];
  expect(all).toEqual(lines.slice(0, all.length));
});

test("a run that has ended is read after a restart of its host and its worker", async () => {
  const file = join(newFolder(), "runs.db");
  const answers: (readonly string[])[] = [];
  for (let round = 0; round < 2; round += 1) {
    await using inRound = new Opened();
    const store = inRound.use(await openSqliteStoreWith(file, { thread: false }, {}));
    const host = await openHost(inRound, store);
    const worker = await join_(inRound, host.address);
    await KeptPoet.register(worker, "poet", () => new KeptPoet());
    const run = await worker.startRun(AskPoem({ lines: 3 }), poet, { id: "r" });
    await run.answer();
    answers.push(await readAll(worker, "r"));
  }
  expect(answers).toEqual([
    [...lines.slice(0, 3), "poem 1"],
    [...lines.slice(0, 3), "poem 1"],
  ]);
});

test("a run goes on while its host restarts: its worker writes on at the next one, and no chunk is lost or twice", async () => {
  await using opened = new Opened();
  const file = join(newFolder(), "runs.db");
  const firstStore = await openSqliteStoreWith(file, { thread: false }, {});
  const host = await openHost(opened, firstStore);
  const worker = await join_(opened, host.address);
  let goOn = () => {};
  const waits = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  class Slow extends KeptPoet {
    override async *compose(count: number, context: Parameters<KeptPoet["compose"]>[1]) {
      const all = super.compose(count, context);
      for (let step = await all.next(); ; step = await all.next()) {
        if (step.done === true) return step.value;
        yield step.value;
        if (step.value.text === "line 9") await waits;
      }
    }
  }
  await Slow.register(worker, "poet", () => new Slow());
  await worker.startRun(AskPoem({ lines: 20 }), poet, { id: "r" });
  await readSome(worker, "r", 10);
  await host.stop({ graceMs: 0 });
  await firstStore.close();
  await openHost(opened, opened.use(await openSqliteStoreWith(file, { thread: false }, {})), host.address);
  goOn();
  const all = await readAll(worker, "r");
  expect(all.slice(0, -1)).toEqual(lines.slice(0, 20));
});

/** Reads so many chunks, or to the end. */
async function readSome(
  runtime: AgentRuntime,
  id: string,
  count: number,
  reading: AsyncIterator<unknown> = runtime.attachRun(poet, id, { message: AskPoem }).read()[Symbol.asyncIterator](),
) {
  const seen: string[] = [];
  for (let read = 0; read < count; read += 1) {
    try {
      const { done, value } = await reading.next();
      if (done === true) return { seen: [...seen, (value as { text: string }).text], reading };
      const { offset, chunk } = value as { readonly offset: number; readonly chunk: { readonly text: string } };
      seen.push(`${offset} ${chunk.text}`);
    } catch (error) {
      return { seen: [...seen, String((error as { readonly code?: unknown }).code)], reading };
    }
  }
  return { seen, reading };
}
