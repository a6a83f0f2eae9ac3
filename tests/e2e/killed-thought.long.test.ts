import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readUIMessageStream, type UIMessageChunk } from "ai";
import { AgentId, type AgentRuntime } from "troupe";
import { Prompt } from "troupe/ai";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { describe, expect, test } from "vitest";
import { type StateStore, StoreError } from "../../src/core/internal.ts";
import { openPostgresStoreWith } from "../../src/storage/postgres/open-postgres-store.ts";
import { openSqliteStoreWith } from "../../src/storage/sqlite/open-sqlite-store.ts";
import type { HaltPlace } from "../support/counting-buyer.ts";
import { Gate } from "../support/gate.ts";
import { NodeProgram } from "../support/node-program.ts";
import { Opened } from "../support/opened.ts";
import { PostgresServer, postgresAbsence } from "../support/postgres-server.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { newFolder } from "../support/sqlite-stores.ts";

type OpenStore = (opened: Opened) => Promise<StateStore>;

const stores: readonly (readonly [string, OpenStore])[] = [
  ["SQLite", () => openSqliteStoreWith(join(newFolder(), "runs.db"), { thread: false }, {})],
  ["PostgreSQL", async (opened) => openPostgresStoreWith(opened.use(await PostgresServer.start()).url(), {}, {})],
];
const quiet = { logger: new RecordingLogger() };
const ada = new AgentId("buyer", "ada");

/**
 * The place of the kill, a part that the reader has before it, and what is done before and after it. Steps of the model that were not finished are asked for
 * again.
 */
const places: readonly (readonly [HaltPlace | "answered", string, readonly string[]])[] = [
  ["asked", "text-delta", ["model 0", "model 0", "look", "model 1", "buy", "model 2"]],
  ["called", "tool-input-available", ["model 0", "model 0", "look", "model 1", "buy", "model 2"]],
  ["in look", "tool-input-available", ["model 0", "look", "look", "model 1", "buy", "model 2"]],
  ["in buy", "tool-input-available", ["model 0", "look", "model 1", "buy", "model 2"]],
  ["bought", "tool-output-available", ["model 0", "look", "model 1", "buy", "model 2", "model 2"]],
  ["answered", "tool-output-available", ["model 0", "look", "model 1", "buy", "model 2"]],
];

describe.for(stores)("over %s", ([name, openStore]) => {
  test.for(places)(
    "an agent that thinks goes on where its worker was killed, repeats no finished step and no tool that is not repeatable: %s",
    { timeout: 240_000 },
    async ([place, seen, done], context) => {
      const absence = name === "PostgreSQL" ? postgresAbsence() : undefined;
      if (absence !== undefined) return context.skip(absence);
      await using opened = new Opened();
      const store = opened.use(await openStore(opened));
      const [atEnd, isKilled] = [new Gate(), new Gate()];
      const held = place === "answered" ? holdingEnds(store, { atEnd, isKilled }) : store;
      const host = opened.use(new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { ...quiet, stateStore: held }));
      await host.start();
      const file = join(newFolder(), "done.txt");
      const program = (haltAt: HaltPlace) =>
        opened.use(new NodeProgram("tests/e2e/programs/buyer-worker.ts", [host.address, file, haltAt]));
      const killed = program(place === "answered" ? "never" : place);
      await killed.output(/serving/);
      const caller = opened.use(new GrpcWorkerAgentRuntime(host.address, quiet));
      await caller.start();
      caller.addMessageSerializer([Prompt]);
      await caller.startRun(Prompt({ text: "Buy bread" }), ada, { id: "r" });
      const hasSeen = new Gate();
      const killAndGoOn = async () => {
        await hasSeen.opened;
        await (place === "answered" ? atEnd.opened : killed.output(/halted/));
        await killed.stop("SIGKILL");
        isKilled.open();
        await program("never").output(/serving/);
      };
      const onPart = (type: string) => type === seen && hasSeen.open();
      const [{ parts, offsets, text }] = await Promise.all([readToEnd(caller, onPart), killAndGoOn()]);
      expect(text).toBe("It is done.");
      expect(readFileSync(file, "utf8").trim().split("\n")).toEqual(done);
      expect(offsets).toEqual(parts.map((_, offset) => offset));
      expect(await lastTextOf(parts)).toBe("It is done.");
      expect(openIn(parts)).toEqual([]);
      expect(parts.filter(({ type }) => type === "start" || type === "finish")).toHaveLength(2);
      const late = await readToEnd(caller);
      expect(late.parts).toEqual(parts);
    },
  );
});

/** A store in which the first commit that ends a run is not written: it fails when the worker is killed. */
function holdingEnds(
  store: StateStore,
  { atEnd, isKilled }: { readonly atEnd: Gate; readonly isKilled: Gate },
): StateStore {
  let hasHeld = false;
  return new Proxy(store, {
    get(target, key) {
      if (key === "commit") {
        return async (commits: Parameters<StateStore["commit"]>[0]) => {
          const ends = commits.some(({ runs = [] }) => runs.some(({ at }) => at === "end"));
          if (hasHeld || !ends) return target.commit(commits);
          hasHeld = true;
          atEnd.open();
          await isKilled.opened;
          throw new StoreError("unavailable", "The commit was not written.");
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function readToEnd(runtime: AgentRuntime, onPart?: (type: string) => void) {
  const parts: UIMessageChunk[] = [];
  const offsets: number[] = [];
  const reading = runtime.attachRun(ada, "r", { message: Prompt }).read()[Symbol.asyncIterator]();
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { parts, offsets, text: step.value.text };
    offsets.push(step.value.offset);
    // The AI SDK checks the parts when it reads them.
    onPart?.(step.value.chunk.type);
    parts.push({ ...step.value.chunk } as UIMessageChunk);
  }
}

/** Reads parts as the AI SDK's front end does. Returns the last text. Throws for a part that has no place in the stream. */
async function lastTextOf(parts: readonly UIMessageChunk[]): Promise<string | undefined> {
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  let last: string | undefined;
  for await (const message of readUIMessageStream({ stream, terminateOnError: true }))
    last = message.parts.findLast((part) => part.type === "text")?.text;
  return last;
}

/** Returns what a stream leaves open: texts, tool calls, steps, and the message itself. */
function openIn(parts: readonly UIMessageChunk[]): readonly string[] {
  const open = new Set<string>();
  for (const part of parts) {
    if (part.type === "start" || part.type === "start-step") open.add(part.type);
    if (part.type === "finish-step") open.delete("start-step");
    if (part.type === "finish") open.delete("start");
    if (part.type === "text-start") open.add(`text ${part.id}`);
    if (part.type === "text-end") open.delete(`text ${part.id}`);
    if (part.type === "tool-input-available") open.add(`call ${part.toolCallId}`);
    if (part.type === "tool-output-available" || part.type === "tool-output-error")
      open.delete(`call ${part.toolCallId}`);
  }
  return [...open];
}
