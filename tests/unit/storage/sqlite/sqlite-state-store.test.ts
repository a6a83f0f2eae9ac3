import { describe, expect, onTestFinished, test } from "vitest";
import { type Commit, mailBoundsOf, nextTurn, StoreError } from "../../../../src/core/internal.ts";
import type { Ask } from "../../../../src/storage/sqlite/asks.ts";
import type { Executor, ExecutorEvents } from "../../../../src/storage/sqlite/executor.ts";
import { GatheredMail, type MailPart } from "../../../../src/storage/sqlite/mail-parts.ts";
import { SqliteStateStore } from "../../../../src/storage/sqlite/sqlite-state-store.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { Inbox } from "../../../support/inbox.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

/** An executor whose replies a test gives. */
interface Started {
  readonly events: ExecutorEvents;
  readonly asked: Inbox<Ask>;
  /** The mail that came before a question. */
  readonly mail: MailPart[];
}

async function openStore(sqliteVersion = "3.53.0") {
  const started: Started[] = [];
  const logger = new RecordingLogger();
  const store = new SqliteStateStore({
    ...{ clock: new ManualClock(), logger, maxQueuedBytes: 10_000_000, mail: mailBoundsOf({}) },
    start: async (_held, events): Promise<Executor> => {
      const asked = new Inbox<Ask>();
      const mail: MailPart[] = [];
      started.push({ events, asked, mail });
      return {
        sqliteVersion,
        send: (asks) => {
          for (const ask of asks) {
            if (ask.kind === "close") events.onReplies([{ id: ask.id, value: undefined }]);
            else asked.put(ask);
          }
        },
        sendMail: (part) => mail.push(part),
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

describe("a commit with 5,000 messages", () => {
  function largeCommit(): Commit {
    const mail = Array.from({ length: 5_000 }, (_, index) => ({
      ...{ id: `m${index}`, receiver: { type: "b", key: `${index % 7}` }, frame: Uint8Array.of(index % 256, 1) },
      ...{ kind: "event" as const, isOnce: index % 2 === 0, whenFull: index % 3 === 0 ? ("bury" as const) : undefined },
    }));
    const agent = { type: "a", key: "k" };
    return {
      ...{ agent, epoch: undefined, expected: { at: "anything" }, write: { at: "keep" } },
      ...{ reminders: [], mail, remembered: [] },
    };
  }

  test("goes to its thread in parts, between which others have turns, and before what is asked later", async () => {
    const { store, started } = await openStore();
    const [first] = started;
    const [given, commit] = [largeCommit(), largeCommit()];
    const written = store.commit([given]);
    for (const { frame } of given.mail) frame.fill(0);
    const later = store.load({ type: "a", key: "later" });
    const counts: number[] = [];
    while (first?.asked.rest.length === 0) {
      counts.push(first.mail.length);
      await nextTurn();
    }
    const steps = counts.map((count, index) => count - (counts[index - 1] ?? 0));
    expect([Math.max(...steps), first?.mail.length]).toEqual([1, 10]);
    const ask = await first?.asked.take();
    expect(ask).toMatchObject({ kind: "commit" });
    const gathered = new GatheredMail();
    for (const part of first?.mail ?? []) gathered.add(part);
    expect(gathered.take(ask?.id ?? 0, [{ ...commit, mail: [] }])).toEqual([commit]);
    first?.events.onReplies([{ id: ask?.id ?? 0, value: [{ at: "committed", eTag: "", revision: 0 }] }]);
    expect((await written)[0]?.at).toBe("committed");
    const load = await first?.asked.take();
    expect(load).toMatchObject({ kind: "load", agent: { key: "later" } });
    first?.events.onReplies([{ id: load?.id ?? 0, value: undefined }]);
    expect(await later).toBeUndefined();
  });

  test("is certainly not written when the thread is lost between its parts, and what is asked later goes on", async () => {
    const { store, started } = await openStore();
    const [first] = started;
    const written = store.commit([largeCommit()]);
    const later = store.load({ type: "a", key: "later" });
    while (first?.mail.length === 0) await nextTurn();
    first?.events.onLost(new StoreError("unavailable", "The thread is lost."));
    await expect(written).rejects.toMatchObject({ storeCode: "unavailable" });
    await expect.poll(() => started.length, { interval: 1 }).toBe(2);
    const load = await started[1]?.asked.take();
    expect(load).toMatchObject({ kind: "load", agent: { key: "later" } });
    started[1]?.events.onReplies([{ id: load?.id ?? 0, value: undefined }]);
    expect(await later).toBeUndefined();
    expect(first?.asked.rest).toEqual([]);
  });
});

test("a store on a SQLite that may damage a file says so", async () => {
  const texts = async (version: string) => (await openStore(version)).logger.texts("warn");
  expect(await texts("3.51.2")).toEqual([expect.stringMatching(/may damage a file to which two programs write/)]);
  expect([await texts("3.51.3"), await texts("3.100.0")]).toEqual([[], []]);
});

test("a store whose new thread is lost too, before it has opened the file, rejects and goes on with a third", async () => {
  const { store, started } = await openStore();
  const opening = store.open();
  const ask = await started[0]?.asked.take();
  started[0]?.events.onReplies([{ id: ask?.id ?? 0, value: { incarnation: 1, newestGeneration: 0 } }]);
  await opening;
  const lost = new StoreError("unavailable", "The thread is lost.");
  started[0]?.events.onLost(lost);
  const refused = store.load({ type: "a", key: "1" });
  await expect.poll(() => started.length, { interval: 1 }).toBe(2);
  expect(await started[1]?.asked.take()).toMatchObject({ kind: "open", id: 0 });
  started[1]?.events.onLost(lost);
  await expect(refused).rejects.toMatchObject({ storeCode: "unavailable" });
  const loaded = store.load({ type: "a", key: "2" });
  await expect.poll(() => started.length, { interval: 1 }).toBe(3);
  expect(await started[2]?.asked.take()).toMatchObject({ kind: "open" });
  started[2]?.events.onReplies([{ id: 0, value: { incarnation: 3, newestGeneration: 1 } }]);
  const load = await started[2]?.asked.take();
  started[2]?.events.onReplies([{ id: load?.id ?? 0, value: undefined }]);
  expect(await loaded).toBeUndefined();
});
