import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  commitOf,
  commitOne,
  committed,
  loaded,
  putOf,
  textOf,
} from "../../../src/testing/contracts/state-store/store-case.ts";
import { askTwice, longNames, longQuestions } from "../../support/long-questions.ts";
import { openedRig, openRig, type SqliteRig } from "../../support/sqlite-rig.ts";
import { newFolder, sqliteError, WatchedDriver } from "../../support/sqlite-stores.ts";

const [ioError, tooBig] = [10, 18];

const ofKey = (key: string) => ({ agent: { type: "a", key } });
const nameOf = (key: string) => ofKey(key).agent;

describe("groups of commits in SQLite", () => {
  const transactionsOf = ({ driver }: SqliteRig) => driver.executed.filter((sql) => sql === "commit").length;

  it("what is asked in one turn of the event loop is one transaction", async () => {
    const rig = await openedRig();
    const before = transactionsOf(rig);
    const asked = Array.from({ length: 64 }, (_, index) => rig.store.commit([putOf("x", ofKey(String(index)))]));
    const load = rig.store.load(nameOf("63"));
    await Promise.all(asked);
    expect(transactionsOf(rig) - before).toBe(1);
    // It was asked behind the commits, and sees them.
    expect(await load).toMatchObject({ revision: 1 });
  });

  it("a transaction takes 256 commits or 4 MiB", async () => {
    const rig = await openedRig();
    let before = transactionsOf(rig);
    await Promise.all(Array.from({ length: 600 }, (_, index) => rig.store.commit([putOf("x", ofKey(String(index)))])));
    expect(transactionsOf(rig) - before).toBe(3);
    before = transactionsOf(rig);
    const big = "x".repeat(1024 * 1024);
    await Promise.all(Array.from({ length: 8 }, (_, index) => rig.store.commit([putOf(big, ofKey(String(index)))])));
    expect(transactionsOf(rig) - before).toBe(3);
  });

  it("a commit that SQLite refuses fails alone", async () => {
    const { store, driver } = await openedRig();
    let failing = 0;
    driver.beforeStatement = (sql) => {
      if (!sql.startsWith("insert into mail")) return;
      failing += 1;
      throw sqliteError(tooBig, "string or blob too big");
    };
    const mail = [{ id: "1", receiver: nameOf("x"), kind: "call", frame: new Uint8Array(1) } as const];
    const asked = await Promise.all([
      store.commit([putOf("1", ofKey("1")), putOf("2", { ...ofKey("2"), mail })]),
      store.commit([putOf("3", ofKey("3"))]),
    ]);
    expect(asked.flat().map(({ at }) => at)).toEqual(["committed", "refused", "committed"]);
    expect(failing).toBe(2);
    driver.beforeStatement = () => undefined;
    expect((await store.list()).records.map(({ agent }) => agent.key)).toEqual(["1", "3"]);
  });

  it("a call whose commits have happened in part rejects as unknown", async () => {
    const { store, driver } = await openedRig();
    let puts = 0;
    driver.beforeStatement = (sql) => {
      if (!sql.startsWith("insert into state")) return;
      puts += 1;
      // The first transaction has both commits; of the two after it, the second fails.
      if (puts === 2) throw sqliteError(tooBig, "string or blob too big");
      if (puts === 4) throw sqliteError(ioError, "disk I/O error");
    };
    const done = store.commit([putOf("1", ofKey("1")), putOf("2", ofKey("2"))]);
    await expect(done).rejects.toMatchObject({ storeCode: "unknown", code: "state-unknown" });
    driver.beforeStatement = () => undefined;
    expect((await store.list()).records.map(({ agent }) => agent.key)).toEqual(["1"]);
  });

  it("more than a bound of bytes does not wait", async () => {
    const { store } = await openedRig(undefined, { maxQueuedBytes: 10_000 });
    const big = "x".repeat(6_000);
    const results = await Promise.allSettled([1, 2, 3].map((key) => store.commit([putOf(big, ofKey(String(key)))])));
    expect(results).toEqual([
      expect.objectContaining({ status: "fulfilled" }),
      ...[1, 2].map(() => expect.objectContaining({ reason: expect.objectContaining({ storeCode: "overloaded" }) })),
    ]);
    await committed(store, putOf(big, ofKey("2")));
    // One alone may be larger than the bound.
    await committed(store, putOf("x".repeat(20_000), ofKey("3")));
  });

  it("long texts that wait count as bytes", async () => {
    const { store } = await openedRig(undefined, { maxQueuedBytes: 10_000 });
    const questions = Object.entries({ ...longQuestions, ...longNames });
    const codes = new Map<string, readonly string[]>();
    for (const [name, ask] of questions) codes.set(name, await askTwice(store, ask));
    expect([...codes]).toEqual(questions.map(([name]) => [name, ["", "overloaded"]]));
    expect(await askTwice(store, (again) => again.list({ type: "a" }))).toEqual(["", ""]);
  });
});

describe("a SQLite store whose disk fails", () => {
  it("answers an I/O error with unavailable, and opens the file again after three of them", async () => {
    const { store, driver, file, logger } = await openedRig();
    await committed(store, putOf("before"));
    expect(driver.timesOpened(file)).toBe(1);
    let isFailing = true;
    driver.beforeStatement = (sql) => {
      if (isFailing && sql === "begin immediate") throw sqliteError(ioError, "disk I/O error");
    };
    for (let count = 0; count < 3; count += 1) {
      const text = /^The state store .*store\.db failed: disk I\/O error\. Look whether its disk works/;
      await expect(store.commit([putOf("during")])).rejects.toMatchObject({
        storeCode: "unavailable",
        code: "state-unavailable",
        message: expect.stringMatching(text),
      });
    }
    expect(driver.timesOpened(file)).toBe(2);
    isFailing = false;
    expect((await committed(store, putOf("after"))).revision).toBe(2);
    expect(logger.texts("error")).toEqual(["the state store failed"]);
  });

  it("does not open the file again for single errors between which it answers", async () => {
    const { store, driver, file } = await openedRig();
    let failures = 0;
    driver.beforeStatement = (sql) => {
      if (sql !== "begin immediate" || failures === 0) return;
      failures -= 1;
      throw sqliteError(ioError, "disk I/O error");
    };
    for (let round = 0; round < 3; round += 1) {
      failures = 2;
      for (let count = 0; count < 2; count += 1) {
        await expect(store.commit([putOf("x")])).rejects.toMatchObject({ storeCode: "unavailable" });
      }
      await committed(store, putOf("y"));
    }
    expect(driver.timesOpened(file)).toBe(1);
  });

  it("leaves the file to others when it can't be opened to write", async () => {
    const { store, driver, file } = await openRig();
    driver.beforeStatement = (sql) => {
      if (sql === "begin immediate") throw sqliteError(ioError, "disk I/O error");
    };
    await expect(store.open()).rejects.toMatchObject({ storeCode: "unavailable" });
    const other = await openedRig(file);
    await committed(other.store, putOf("x"));
  });

  it("says unknown if the error came while the transaction was being committed", async () => {
    const { store, driver } = await openedRig();
    driver.beforeStatement = (sql) => {
      if (sql === "commit") throw sqliteError(ioError, "disk I/O error");
    };
    await expect(store.commit([putOf("x")])).rejects.toMatchObject({ storeCode: "unknown" });
    driver.beforeStatement = () => undefined;
    await committed(store, putOf("y"));
  });

  it("rejects as full on a file system without space, and goes on when there is space", async (context) => {
    const disk = smallDisk();
    if (disk === undefined) return context.skip("needs the right to mount a small file system");
    const { store } = await openedRig(join(disk, "store.db"));
    await committed(store, putOf("before"));
    writeFileSync(join(disk, "filler"), new Uint8Array(1024 * 1024));
    const big = "x".repeat(1024 * 1024);
    const text = expect.stringContaining("Make space on its disk,");
    await expect(store.commit([putOf(big)])).rejects.toMatchObject({ storeCode: "full", message: text });
    expect(textOf((await loaded(store)).data)).toBe("before");
    rmSync(join(disk, "filler"));
    await committed(store, putOf("x".repeat(512 * 1024)));
  });

  it("says that the disk is full when it is opened there, and can be opened when there is space", async (context) => {
    const disk = smallDisk();
    if (disk === undefined) return context.skip("needs the right to mount a small file system");
    const first = await openedRig();
    await committed(first.store, putOf("before"));
    await first.store.close();
    const file = join(disk, "store.db");
    copyFileSync(first.file, file);
    expect(() => {
      for (;;) appendFileSync(join(disk, "filler"), new Uint8Array(4_096));
    }).toThrow("ENOSPC");
    const text = expect.stringContaining("Make space on its disk,");
    await expect(openRig(file)).rejects.toMatchObject({ storeCode: "full", message: text });
    rmSync(join(disk, "filler"));
    const { store } = await openedRig(file);
    expect(textOf((await loaded(store)).data)).toBe("before");
  });
});

/** A file system of 2 MiB. Undefined: this process may mount none. */
function smallDisk(): string | undefined {
  const disk = join(newFolder(), "disk");
  mkdirSync(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["-l", disk]));
  return disk;
}

describe("a SQLite file that is not what it was", () => {
  it("is refused if it is no database, and the error says to name a store or to restore a backup", async () => {
    const file = join(newFolder(), "notes.txt");
    writeFileSync(file, "These are my notes. ".repeat(500));
    await expect(openRig(file)).rejects.toMatchObject({
      storeCode: "corrupt",
      message: expect.stringMatching(/Name the file of a store\. If it was one: .*restore a backup/),
    });
    expect(readFileSync(file, "utf8")).toBe("These are my notes. ".repeat(500));
  });

  it("is refused if it is another program's database, which stays as it is", async () => {
    const file = join(newFolder(), "other.db");
    const driver = await WatchedDriver.load();
    const other = driver.open(file);
    other.exec("create table notes(text)");
    other.close();
    const before = readFileSync(file);
    await expect(openRig(file)).rejects.toMatchObject({
      message: expect.stringMatching(/other\.db is not a state store of Troupe\. Name another file\.$/),
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("is refused if a newer version has written it, naming both versions, and stays as it is", async () => {
    const { store, file, driver } = await openedRig();
    await committed(store, putOf("x"));
    await store.close();
    const newer = driver.open(file);
    newer.exec("pragma user_version = 7");
    newer.close();
    const before = readFileSync(file);
    await expect(openRig(file)).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringMatching(
        /its schema has version 7, and this program knows versions up to 4\. Upgrade this program\.$/,
      ),
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("is not opened to write if it was opened to read only", async () => {
    const { store, file } = await openedRig();
    await committed(store, putOf("x"));
    await store.close();
    rmSync(`${file}.lock`);
    const reader = await openRig(file, { readOnly: true });
    await expect(reader.store.open()).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringMatching(/was opened to read only\. Open the store without readOnly\.$/),
    });
    expect(existsSync(`${file}.lock`)).toBe(false);
    expect(textOf((await loaded(reader.store)).data)).toBe("x");
  });

  it("is refused if its folder does not exist", async () => {
    await expect(openRig(join(newFolder(), "none", "store.db"))).rejects.toMatchObject({ storeCode: "unavailable" });
  });

  it("is checked when it is opened, if asked", async () => {
    const { store, file } = await openedRig();
    const values = Array.from({ length: 300 }, (_, index) => putOf("x".repeat(1_000), ofKey(String(index))));
    await store.commit(values);
    await store.close();
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0xaa, bytes.length / 2, bytes.length / 2 + 50_000));
    const rig = await openRig(file, { checksOnOpen: true });
    await expect(rig.store.open()).rejects.toMatchObject({ storeCode: "corrupt" });
    await expect(rig.store.commit([putOf("x")])).rejects.toMatchObject({ storeCode: "corrupt" });
  });

  it.each(["gone", "replaced"])(
    "is noticed by the next commit if it is %s, and nothing is written then",
    async (how) => {
      const { store, file } = await openedRig();
      await committed(store, putOf("x"));
      renameSync(file, `${file}.moved`);
      if (how === "replaced") writeFileSync(file, readFileSync(`${file}.moved`));
      await expect(store.commit([putOf("z")])).rejects.toMatchObject({
        storeCode: "corrupt",
        message: expect.stringContaining("Its file is gone, or another one is in its place."),
      });
      await expect(store.load(nameOf("x"))).rejects.toMatchObject({ storeCode: "corrupt" });
    },
  );

  it.each(["gone", "replaced"])("is noticed within 30 s if it is %s and nobody writes", async (how) => {
    const { store, file, clock } = await openedRig();
    await committed(store, putOf("x"));
    clock.advance(30_000);
    await loaded(store);
    renameSync(file, `${file}.moved`);
    if (how === "replaced") writeFileSync(file, readFileSync(`${file}.moved`));
    clock.advance(30_000);
    await expect(store.load(nameOf("x"))).rejects.toMatchObject({ storeCode: "corrupt" });
  });

  it("is noticed by the next commit if its write-ahead log is deleted, and what was acknowledged stays", async () => {
    const { store, file } = await openedRig();
    await committed(store, putOf("x"));
    rmSync(`${file}-wal`);
    await expect(store.commit([putOf("y")])).rejects.toMatchObject({
      storeCode: "corrupt",
      message: expect.stringMatching(/write-ahead log, .*store\.db-wal, is gone or replaced\./),
    });
    await store.close();
    const after = await openedRig(file);
    expect(textOf((await loaded(after.store)).data)).toBe("x");
  });
});

describe("limits of a SQLite store", () => {
  it("refuses a state and a message over its bound, and names over 1,024 characters", async () => {
    const { store } = await openedRig(undefined, { maxValueBytes: 10 });
    const long = "x".repeat(1_025);
    expect(await commitOne(store, putOf("12345678901"))).toEqual({
      at: "refused",
      limit: "10 bytes of one agent's state",
    });
    const mail = [{ id: "1", receiver: nameOf("x"), kind: "call", frame: new Uint8Array(11) } as const];
    expect(await commitOne(store, commitOf({ mail }))).toEqual({ at: "refused", limit: "10 bytes of a message" });
    const limit = "1024 characters of a type or a key";
    expect(await commitOne(store, putOf("x", ofKey(long)))).toEqual({ at: "refused", limit });
    const toLong = [{ id: "1", receiver: nameOf(long), kind: "call", frame: new Uint8Array(1) } as const];
    expect(await commitOne(store, commitOf({ mail: toLong }))).toEqual({ at: "refused", limit });
    await committed(store, putOf("1234567890"));
  });

  it("does not let its file grow over a limit, and takes what fits", async () => {
    const maxFileBytes = 544 * 1024;
    const { store, file } = await openedRig(undefined, { maxFileBytes });
    const text = "x".repeat(100_000);
    let count = 0;
    const saveUntilFull = async (): Promise<void> => {
      for (; count < 100; count += 1) await committed(store, putOf(text, ofKey(String(count))));
    };
    await expect(saveUntilFull()).rejects.toMatchObject({
      storeCode: "full",
      message: expect.stringContaining("raise maxFileBytes"),
    });
    expect(count).toBe(4);
    await committed(store, commitOf({ ...ofKey("0"), write: { at: "delete" } }));
    await committed(store, putOf(text, ofKey("again")));
    await store.close();
    expect(statSync(file).size).toBeLessThanOrEqual(maxFileBytes);
    // A store with a lower limit than its file has reads and deletes.
    const smaller = await openedRig(file, { maxFileBytes: 4_096 });
    expect((await smaller.store.list()).records).toHaveLength(4);
    await expect(smaller.store.commit([putOf(text, ofKey("more"))])).rejects.toMatchObject({ storeCode: "full" });
    await committed(smaller.store, commitOf({ ...ofKey("1"), write: { at: "delete" } }));
  });

  it("deletes remembered messages that are too old", async () => {
    const { store, clock, driver, file } = await openedRig();
    const remembered = [{ id: "1", principal: "", answer: new Uint8Array(1) }];
    await committed(store, commitOf({ ...ofKey("1"), remembered }));
    clock.advance(25 * 60 * 60 * 1_000);
    await committed(store, commitOf({ ...ofKey("2"), remembered }));
    const rows = driver.connectionTo(file).prepare("select count(*) as n from remembered").get();
    expect(rows?.n).toBe(1);
  });
});
