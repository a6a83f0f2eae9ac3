import { expect, test } from "vitest";
import type { MessageContext } from "../../../src/core/index.ts";
import { Host } from "../../../src/host/index.ts";
import { HostServicer } from "../../../src/host/servicer.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { AskPoem, KeptPoet, type Muse, poet, readAll } from "../../support/kept-poets.ts";
import { Opened } from "../../support/opened.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const logger = new RecordingLogger();

/** A host with a manual clock, in front of a store. It is far ahead of the clocks of its workers: their reminders are due at once. */
async function openHost(opened: Opened) {
  const clock = new ManualClock(1e14);
  const listener = createMemoryNetwork();
  const stateStore = opened.use(new MemoryStateStore({ clock }));
  const servicer = new HostServicer({ clock, stateStore, heartbeatMs: 0, logger });
  const host = opened.use(new Host({ listener, address: "127.0.0.1:0", servicer }));
  await host.start();
  const join = async (muse?: Muse) => {
    const worker = new WorkerRuntime({ dialer: listener, address: host.address, logger, drainTimeoutMs: 0 });
    await worker.start();
    worker.addMessageSerializer([AskPoem]);
    if (muse !== undefined) await KeptPoet.register(worker, "poet", () => new KeptPoet(muse));
    opened.use({ [Symbol.asyncDispose]: () => worker.stop() });
    return worker;
  };
  return { clock, stateStore, join };
}

function hanging({ signal }: MessageContext): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

test("the host asks the next worker for a run that nobody reads, and for that alone until it has ended", async () => {
  await using opened = new Opened();
  const { clock, stateStore, join } = await openHost(opened);
  const busy = new Gate();
  const first = await join({ before: (context) => Promise.resolve(busy.open()).then(() => hanging(context)) });
  const caller = await join();
  await caller.startRun(AskPoem({ lines: 0 }), poet, { id: "busy" });
  await busy.opened;
  await caller.startRun(AskPoem({ lines: 1 }), poet, { id: "waits", owner: "bob" });
  await first.stop();
  const ended = new Gate();
  await join({ after: () => ended.open() });
  await advanceUntil(clock, () => ended.opened);
  await caller.attachRun(poet, "waits", { message: AskPoem, owner: "bob" }).answer();
  const { runs } = await stateStore.listRuns();
  expect(runs.map(({ id, status }) => `${id} ${status}`).sort()).toEqual(["busy failed", "waits completed"]);
  await advanceUntil(clock, async () => {
    while ((await stateStore.reminders(poet)).length > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});

test("a worker that stops leaves a run that works to the next one", async () => {
  await using opened = new Opened();
  const { join } = await openHost(opened);
  const first = await join({ after: hanging });
  const caller = await join();
  const run = await caller.startRun(AskPoem({ lines: 2 }), poet, { id: "r" });
  const chunks = run.read()[Symbol.asyncIterator]();
  for (let read = 0; read < 2; read += 1) await chunks.next();
  await first.stop();
  await join({});
  await expect(chunks.next()).rejects.toMatchObject({ code: "disconnected" });
  expect(await readAll(caller, "r")).toEqual(["0 line 0", "1 line 1", "disconnected"]);
});

test("a timeoutMs of a kept run counts from its start, also at the next worker", async () => {
  await using opened = new Opened();
  const { join } = await openHost(opened);
  const first = await join({ after: hanging });
  const run = await first.startRun(AskPoem({ lines: 1 }), poet, { id: "r", timeoutMs: 20 });
  await expect(run.answer()).rejects.toMatchObject({ code: "timed-out" });
  await first.stop();
  expect(await readAll(await join({}), "r")).toEqual(["0 line 0", "timed-out"]);
});

/** Moves the clock by seconds until something has happened. */
async function advanceUntil(clock: ManualClock, happens: () => Promise<unknown>): Promise<void> {
  let isOver = false;
  void happens().then(() => {
    isOver = true;
  });
  for (let seconds = 0; !isOver; seconds += 1) {
    if (seconds > 10_000) throw new Error("it does not happen");
    clock.advance(1_000);
    for (let turn = 0; turn < 30 && !isOver; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
