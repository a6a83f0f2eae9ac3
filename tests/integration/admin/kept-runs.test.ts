import { expect, test } from "vitest";
import type { RunDetail, RunRow } from "../../../src/admin/internal.ts";
import { runsCommand } from "../../../src/cli/commands/runs.ts";
import type { AgentRuntime, MessageContext } from "../../../src/core/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { AskPoem, KeptPoet, type Muse, poet, readAll } from "../../support/kept-poets.ts";
import { AdminRig } from "./admin-rig.ts";
import { run } from "./running.ts";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

async function poetOf(rig: AdminRig, muse: Muse = {}) {
  const worker = new WorkerRuntime({ dialer: rig.dialer, address: "host:1", logger: quiet, drainTimeoutMs: 0 });
  await worker.start();
  worker.addMessageSerializer([AskPoem]);
  await KeptPoet.register(worker, "poet", () => new KeptPoet(muse));
  return worker;
}

async function ended(runtime: AgentRuntime, id: string, lines: number, owner = ""): Promise<void> {
  await (await runtime.startRun(AskPoem({ lines }), poet, { id, owner })).answer();
}

test("troupe runs list has the kept runs in pages, of one owner and in one status, and shows no control characters", async () => {
  await using rig = await AdminRig.open();
  await using worker = await poetOf(rig);
  for (const [id, owner] of [
    ["a", "ada"],
    ["b\u001b[2J", "bob"],
    ["c", "ada"],
  ] as const)
    await ended(worker, id, 1, owner);
  const list = async (...args: readonly string[]) => {
    const { out } = await run(runsCommand(), "list", "--json", ...args, ...rig.flags);
    const { rows, next } = JSON.parse(out) as { rows: readonly RunRow[]; next: string | null };
    return { ids: rows.map(({ id }) => id), next };
  };
  const page = await list("--limit", "2");
  expect(page.ids).toEqual(["a", "b\u001b[2J"]);
  expect(await list("--limit", "2", "--after", page.next ?? "")).toEqual({ ids: ["c"], next: null });
  expect((await list("--owner", "ada")).ids).toEqual(["a", "c"]);
  expect((await list("poet/ada", "--status", "completed")).ids).toHaveLength(3);
  expect((await list("poet", "--status", "failed")).ids).toEqual([]);
  expect((await list("poet/eve")).ids).toEqual([]);
  const table = (await run(runsCommand(), "list", ...rig.flags)).out;
  expect(table).toMatch(/^type {2}key {2}id[\s\S]*poet {2}ada {2}a/);
  expect(table).not.toContain("\u001b");
  const { rows } = await rig.client.ask<{ readonly rows: readonly RunRow[] }>("GET", "/v1/runs", { owner: "bob" });
  expect(rows).toMatchObject([{ status: "completed", principal: null, owner: "bob", first: 0, next: 1, takeovers: 1 }]);
});

test("troupe runs show prints the message, the chunks from an offset on and the outcome", async () => {
  await using rig = await AdminRig.open();
  await using worker = await poetOf(rig);
  await ended(worker, "r", 3);
  const { out } = await run(runsCommand(), "show", "poet/ada", "r", "--from", "1", "--json", ...rig.flags);
  const { message, chunks, answer, error } = JSON.parse(out) as RunDetail;
  expect(message).toMatchObject({ messageType: "KeptAskPoem", text: '{"lines":3}' });
  expect(chunks.map(({ offset, message }) => `${offset} ${message?.text}`)).toEqual([
    '1 {"text":"line 1"}',
    '2 {"text":"line 2"}',
  ]);
  expect([answer?.text, error]).toEqual(['{"text":"poem 1"}', null]);
  const shown = await run(runsCommand(), "show", "poet/ada", "r", ...rig.flags);
  expect(shown.out).toMatch(
    /message {2}KeptAskPoem[\s\S]*0 {2}KeptLine[\s\S]*answer {2}KeptPoem \{"text":"poem 1"\}\n$/,
  );
  await rig.client.ask("GET", "/v1/run", { type: "poet", key: "ada", id: "r" });
  await expect(run(runsCommand(), "show", "poet/ada", "none", ...rig.flags)).rejects.toMatchObject({
    ...{ code: "not-found", message: "poet/ada has no such kept run. See troupe runs list poet/ada." },
  });
});

test("troupe runs show --follow prints each chunk once, and ends with the run", async () => {
  await using rig = await AdminRig.open();
  const more = new Gate();
  await using worker = await poetOf(rig, { after: () => more.opened });
  const started = await worker.startRun(AskPoem({ lines: 2 }), poet, { id: "r" });
  const reader = started.read()[Symbol.asyncIterator]();
  for (let read = 0; read < 2; read += 1) await reader.next();
  const following = run(runsCommand(), "show", "poet/ada", "r", "--follow", "--json", ...rig.flags);
  more.open();
  const lines = (await following).out.trim().split("\n");
  const [first, second, end] = lines.map((line) => JSON.parse(line));
  expect([first.offset, second.offset, lines.length]).toEqual([0, 1, 3]);
  expect(end).toMatchObject({ status: "completed", answer: { text: '{"text":"poem 1"}' }, error: null });
});

test("troupe runs cancel ends a run that works: readers get the reason, and its handler hears of it within 15 s", async () => {
  // Far ahead of the clock of the worker: its reminder is due at once.
  const clock = new ManualClock(1e14);
  await using rig = await AdminRig.open({ clock, heartbeatMs: 0 });
  const aborted = new Gate();
  const hanging = ({ signal }: MessageContext) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        aborted.open();
        reject(signal.reason);
      });
    });
  await using worker = await poetOf(rig, { after: hanging });
  const started = await worker.startRun(AskPoem({ lines: 1 }), poet, { id: "r" });
  const reader = started.read()[Symbol.asyncIterator]();
  await reader.next();
  const cancel = ["cancel", "poet/ada", "r"];
  const { out } = await run(runsCommand(), ...cancel, "--reason", "it loops", ...rig.flags);
  expect(out).toBe("cancelled the run r of poet/ada\n");
  await advanceUntil(clock, aborted.opened);
  expect(await readAll(worker, "r")).toEqual(["0 line 0", "cancelled"]);
  const { status, error } = await worker.attachRun(poet, "r").status();
  expect([status, error?.message]).toEqual(["cancelled", "An operator has cancelled the run: it loops"]);
  expect((await run(runsCommand(), ...cancel, ...rig.flags)).out).toBe(
    "the run r of poet/ada had ended before: cancelled\n",
  );
  const done = await rig.client.ask("POST", "/v1/run/cancel", { type: "poet", key: "ada", id: "r" });
  expect(done).toMatchObject({ status: "cancelled", isCancelled: false });
  await expect(run(runsCommand(), "cancel", "poet/ada", "none", ...rig.flags)).rejects.toMatchObject({
    code: "not-found",
  });
});

/** Moves the clock by seconds until something has happened. */
async function advanceUntil(clock: ManualClock, happened: Promise<unknown>): Promise<void> {
  let isOver = false;
  void happened.then(() => {
    isOver = true;
  });
  for (let seconds = 0; !isOver; seconds += 1) {
    if (seconds > 10_000) throw new Error("it does not happen");
    clock.advance(1_000);
    for (let turn = 0; turn < 30 && !isOver; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
