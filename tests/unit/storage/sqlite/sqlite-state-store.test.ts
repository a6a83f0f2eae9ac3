import { expect, onTestFinished, test } from "vitest";
import { mailBoundsOf, StoreError } from "../../../../src/core/internal.ts";
import type { Ask } from "../../../../src/storage/sqlite/asks.ts";
import type { Executor, ExecutorEvents } from "../../../../src/storage/sqlite/executor.ts";
import { SqliteStateStore } from "../../../../src/storage/sqlite/sqlite-state-store.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { Inbox } from "../../../support/inbox.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

/** An executor whose replies a test gives. */
interface Started {
  readonly events: ExecutorEvents;
  readonly asked: Inbox<Ask>;
}

async function openStore(sqliteVersion = "3.53.0") {
  const started: Started[] = [];
  const logger = new RecordingLogger();
  const store = new SqliteStateStore({
    ...{ clock: new ManualClock(), logger, maxQueuedBytes: 10_000, mail: mailBoundsOf({}) },
    start: async (_held, events): Promise<Executor> => {
      const asked = new Inbox<Ask>();
      started.push({ events, asked });
      return {
        sqliteVersion,
        send: (asks) => {
          for (const ask of asks) {
            if (ask.kind === "close") events.onReplies([{ id: ask.id, value: undefined }]);
            else asked.put(ask);
          }
        },
        keepAlive: () => undefined,
        stop: async () => undefined,
      };
    },
  });
  await store.start();
  onTestFinished(() => store.close());
  return { store, started, logger };
}

test("a question that was not sent yet when the thread of the store was lost goes to the next one", async () => {
  const { store, started } = await openStore();
  const [first] = started;
  const sent = store.load({ type: "a", key: "sent" });
  await first?.asked.take();
  const unsent = store.load({ type: "a", key: "not sent" });
  first?.events.onLost(new StoreError("unavailable", "The thread is lost."));
  await expect(sent).rejects.toMatchObject({ storeCode: "unavailable" });
  await expect.poll(() => started.length, { interval: 1 }).toBe(2);
  const ask = await started[1]?.asked.take();
  expect(ask).toMatchObject({ kind: "load", agent: { type: "a", key: "not sent" } });
  started[1]?.events.onReplies([{ id: ask?.id ?? 0, value: undefined }]);
  expect(await unsent).toBeUndefined();
});

test("a store on a SQLite that may damage a file says so", async () => {
  const texts = async (version: string) => (await openStore(version)).logger.texts("warn");
  expect(await texts("3.51.2")).toEqual([expect.stringMatching(/may damage a file to which two programs write/)]);
  expect([await texts("3.51.3"), await texts("3.100.0")]).toEqual([[], []]);
});
