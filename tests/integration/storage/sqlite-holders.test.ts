import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSqliteStoreWith } from "../../../src/storage/sqlite/open-sqlite-store.ts";
import {
  commitOf,
  committed,
  loaded,
  putOf,
  reminderAt,
  textOf,
} from "../../../src/testing/contracts/state-store/store-case.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { openedRig, openRig } from "../../support/sqlite-rig.ts";
import { newFolder, sqliteError, sqliteThreadFile } from "../../support/sqlite-stores.ts";

describe("two holders of one SQLite file", () => {
  it("the second is told who holds it, and may read", async () => {
    const first = await openedRig();
    await committed(first.store, putOf("x"));
    const second = await openRig(first.file);
    await expect(second.store.open()).rejects.toMatchObject({
      storeCode: "in-use",
      message: expect.stringMatching(
        new RegExp(
          `store\\.db is in use by process ${process.pid} on .* since 2001-09-09T01:46:40\\.000Z\\. Stop that program`,
        ),
      ),
    });
    expect(textOf((await loaded(second.store)).data)).toBe("x");
    await committed(first.store, putOf("y"));
    await first.store.close();
    await second.store.open();
    await committed(second.store, putOf("z"));
  });

  it("a holder that lies about itself forges no line of a log", async () => {
    const first = await openedRig();
    const holder = JSON.stringify({ host: "a\nb\u001b[31m", pid: "x".repeat(5_000), since: 1 });
    first.driver.connectionTo(first.file).prepare("update meta set value = ? where name = 'holder'").run(holder);
    const second = await openRig(first.file);
    const error: unknown = await second.store.open().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ storeCode: "in-use" });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
    expect(String(error)).not.toMatch(/[\u0000-\u001f]/);
    expect(String(error).length).toBeLessThan(1_500);
  });

  it("one that takes over has the lock as soon as the first has noticed", async () => {
    const first = await openedRig();
    const second = await openRig(first.file);
    await second.store.open({ takesOver: true });
    await expect(first.store.commit([putOf("late")])).rejects.toMatchObject({
      storeCode: "fenced",
      message: expect.stringContaining("has taken the state store"),
    });
    second.clock.advance(30_000);
    await committed(second.store, putOf("x"));
    await expect(first.store.open({ takesOver: true })).rejects.toMatchObject({ storeCode: "fenced" });
    await first.store.close();
    const third = await openRig(first.file);
    await expect(third.store.open()).rejects.toMatchObject({ storeCode: "in-use" });
    await committed(second.store, putOf("y"));
  });

  it("a lock that was left by a process that is gone holds nobody up", async () => {
    const first = await openedRig();
    await first.store.close();
    expect(existsSync(`${first.file}.lock`)).toBe(true);
    const second = await openedRig(first.file);
    await committed(second.store, putOf("x"));
  });

  it("stays the holder if the disk failed when an opening of its own was written, and was written all the same", async () => {
    const { store, driver, file } = await openedRig();
    const first = await committed(store, putOf("1"));
    let isOpening = false;
    driver.beforeStatement = (sql) => {
      if (sql.startsWith("insert or replace into meta")) isOpening = true;
      if (sql !== "commit" || !isOpening) return;
      driver.beforeStatement = () => undefined;
      driver.connectionTo(file).exec("commit");
      throw sqliteError(10, "disk I/O error");
    };
    await expect(store.open()).rejects.toMatchObject({ storeCode: "unavailable" });
    const second = await committed(store, putOf("2", { expected: { at: "version", eTag: first.eTag } }));
    const { incarnation } = await store.open();
    const third = await committed(store, putOf("3", { expected: { at: "version", eTag: second.eTag } }));
    expect([third.revision, new Set([first.eTag, second.eTag, third.eTag]).size]).toEqual([3, 3]);
    const other = await openRig(file);
    expect((await other.store.open({ takesOver: true })).incarnation).toBeGreaterThan(incarnation);
    await expect(store.commit([putOf("late")])).rejects.toMatchObject({ storeCode: "fenced" });
  });
});

describe("a SQLite store whose thread dies", () => {
  /** Runs the thread's program, and ends it while it reads an agent of the type `dies`: behind the writes of that group. */
  async function mortalThread(): Promise<URL> {
    const file = join(newFolder(), "thread.mjs");
    const program = `
      import process from "node:process";
      const { encode } = TextEncoder.prototype;
      TextEncoder.prototype.encode = function (text) {
        if (text !== "dies") return encode.call(this, text);
        process.exit(3);
        for (;;);
      };
      await import(${JSON.stringify((await sqliteThreadFile()).href)});`;
    writeFileSync(file, program);
    return new URL(`file://${file}`);
  }

  /** Runs the thread's program, and ends it when it answers its second opening, which is written. */
  async function threadThatDiesAtItsSecondOpening(): Promise<URL> {
    const file = join(newFolder(), "thread.mjs");
    const program = `
      import process from "node:process";
      const { stringify } = JSON;
      let openings = 0;
      JSON.stringify = function (value, ...more) {
        if (value?.pid !== undefined) openings += 1;
        else if (openings === 2) process.exit(3);
        return stringify.call(this, value, ...more);
      };
      await import(${JSON.stringify((await sqliteThreadFile()).href)});`;
    writeFileSync(file, program);
    return new URL(`file://${file}`);
  }

  it("rejects what was sent, as unknown if it may have happened, and goes on with another thread", async () => {
    const file = join(newFolder(), "store.db");
    const logger = new RecordingLogger();
    const store = await openSqliteStoreWith(file, { logger }, { threadFile: await mortalThread() });
    onTestFinished(() => store.close());
    const { incarnation } = await store.open();
    const first = await committed(store, putOf("1", { reminders: [reminderAt("r", 1)] }));
    const commit = store.commit([putOf("2")]);
    const load = store.load({ type: "dies", key: "" });
    await expect(commit).rejects.toMatchObject({ storeCode: "unknown", code: "state-unknown" });
    await expect(load).rejects.toMatchObject({
      storeCode: "unavailable",
      message: "The thread of the state store is lost: it ended with 3. The store starts another.",
    });
    // It had happened.
    const record = await loaded(store);
    expect([textOf(record.data), record.revision]).toEqual(["2", 2]);
    const third = await committed(store, putOf("3", { expected: { at: "version", eTag: record.eTag } }));
    expect([first.eTag, record.eTag]).not.toContain(third.eTag);
    expect((await store.reminders(commitOf().agent)).length).toBe(1);
    expect(logger.texts("error")).toEqual(["the thread of the state store is lost"]);
    // The store has its lock again, and is another opening.
    const other = await openRig(file);
    await expect(other.store.open()).rejects.toMatchObject({ storeCode: "in-use" });
    await other.store.close();
    expect((await store.open()).incarnation).toBeGreaterThan(incarnation + 1);
  });

  it("stays the holder if a thread was lost after it had opened the file anew, and before it said so", async () => {
    const file = join(newFolder(), "store.db");
    const store = await openSqliteStoreWith(file, {}, { threadFile: await threadThatDiesAtItsSecondOpening() });
    onTestFinished(() => store.close());
    await store.open();
    await expect(store.open()).rejects.toMatchObject({ storeCode: "unknown" });
    await committed(store, putOf("1"));
  });

  it("does not take the store back from another that has taken it meanwhile", async () => {
    const file = join(newFolder(), "store.db");
    let startedThreads = 0;
    const threadFile = await mortalThread();
    const countStart = (): void => {
      startedThreads += 1;
    };
    process.on("worker", countStart);
    onTestFinished(() => void process.off("worker", countStart));
    const store = await openSqliteStoreWith(file, {}, { threadFile });
    onTestFinished(() => store.close());
    await store.open();
    const other = await openRig(file);
    await other.store.open({ takesOver: true });
    await committed(other.store, putOf("other"));
    await expect(store.load({ type: "dies", key: "" })).rejects.toMatchObject({ storeCode: "unavailable" });
    await expect(store.commit([putOf("late")])).rejects.toMatchObject({ storeCode: "fenced" });
    await other.store.close();
    await expect(store.commit([putOf("late")])).rejects.toMatchObject({ storeCode: "fenced" });
    // It ends with that, and starts no other thread.
    expect(startedThreads).toBe(2);
    const third = await openRig(file);
    expect(textOf((await loaded(third.store)).data)).toBe("other");
  });

  it("rejects if its thread can't start", async () => {
    const missing = new URL("file:///nowhere/thread.mjs");
    const opening = openSqliteStoreWith(join(newFolder(), "store.db"), {}, { threadFile: missing });
    await expect(opening).rejects.toMatchObject({ storeCode: "unavailable" });
  });
});
