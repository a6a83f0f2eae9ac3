import fs, { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { copyDatabase } from "../../../src/storage/sqlite/copy-and-check.ts";
import { loadDriver, type SqliteDriver } from "../../../src/storage/sqlite/driver.ts";
import {
  backupSqliteStoreWith,
  checkSqliteStoreWith,
  openSqliteStoreWith,
} from "../../../src/storage/sqlite/open-sqlite-store.ts";
import { committed, putOf, reminderAt } from "../../../src/testing/contracts/state-store/store-case.ts";
import { newFolder, sqliteThreadFile, WatchedDriver } from "../../support/sqlite-stores.ts";

async function opened(file: string) {
  const store = await openSqliteStoreWith(file, {}, { threadFile: await sqliteThreadFile() });
  onTestFinished(() => store.close());
  await store.open();
  return store;
}

/** Calls back before this process syncs a file or a folder. */
function onSync(hear: (path: string) => void): void {
  const { fsyncSync } = fs;
  const replace = (sync: typeof fsyncSync): void => {
    fs.fsyncSync = sync;
    syncBuiltinESMExports();
  };
  replace((opened) => {
    hear(existsSync("/proc/self/fd") ? readlinkSync(`/proc/self/fd/${opened}`) : "");
    fsyncSync(opened);
  });
  onTestFinished(() => replace(fsyncSync));
}

const ofKey = (key: number) => ({ agent: { type: "a", key: String(key).padStart(4, "0") } });

test("a backup has all that was acknowledged before it, while the store is written to", async () => {
  const folder = newFolder();
  const [file, target] = [join(folder, "store.db"), join(folder, "backup.db")];
  const parts = { threadFile: await sqliteThreadFile() };
  const store = await opened(file);
  await store.commit(Array.from({ length: 200 }, (_, key) => putOf("x".repeat(1_000), ofKey(key))));
  await committed(store, putOf("x", { reminders: [reminderAt("r", 1)] }));
  let isCopied = false;
  const copying = backupSqliteStoreWith(file, target, parts).then(() => {
    isCopied = true;
  });
  for (let key = 200; !isCopied; key += 1) await committed(store, putOf("x", ofKey(key)));
  await copying;
  expect(await checkSqliteStoreWith(target, parts)).toEqual([]);
  expect(await checkSqliteStoreWith(file, parts)).toEqual([]);
  const restored = await opened(target);
  const keys = new Set((await restored.list({ type: "a" })).records.map(({ agent }) => agent.key));
  for (let key = 0; key < 200; key += 1) expect(keys).toContain(ofKey(key).agent.key);
  expect(await restored.stats()).toMatchObject({ reminders: 1 });
  await committed(restored, putOf("goes on"));
  await expect(backupSqliteStoreWith(file, target, parts)).rejects.toMatchObject({ message: /exists/ });
});

test("a backup that fails leaves no file", async () => {
  const folder = newFolder();
  const file = join(folder, "store.db");
  const parts = { threadFile: await sqliteThreadFile() };
  await expect(backupSqliteStoreWith(file, join(folder, "backup.db"), parts)).rejects.toMatchObject({
    storeCode: "unavailable",
    message: expect.stringMatching(/^There is no state store .*store\.db\.$/),
  });
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, "no database ".repeat(1_000));
  await expect(backupSqliteStoreWith(file, join(folder, "backup.db"), parts)).rejects.toMatchObject({
    storeCode: "corrupt",
  });
  const damaged = join(folder, "damaged.db");
  const store = await opened(damaged);
  await store.commit(Array.from({ length: 300 }, (_, key) => putOf("x".repeat(1_000), ofKey(key))));
  await store.close();
  const bytes = readFileSync(damaged);
  writeFileSync(damaged, bytes.fill(0xaa, bytes.length / 2, bytes.length / 2 + 50_000));
  const copying = backupSqliteStoreWith(damaged, join(folder, "backup.db"), parts);
  await expect(copying).rejects.toMatchObject({ storeCode: "corrupt" });
  expect(existsSync(join(folder, "backup.db"))).toBe(false);
  expect(existsSync(join(folder, "backup.db.partial"))).toBe(false);
});

test("of several backups to one file at once, one is made, and the others say that the file exists", async () => {
  const folder = newFolder();
  const [file, target] = [join(folder, "store.db"), join(folder, "backup.db")];
  const parts = { threadFile: await sqliteThreadFile() };
  const store = await opened(file);
  await store.commit(Array.from({ length: 500 }, (_, key) => putOf("x".repeat(1_000), ofKey(key))));
  const backups = await Promise.allSettled([1, 2, 3].map(() => backupSqliteStoreWith(file, target, parts)));
  const texts = backups.map((one) => (one.status === "fulfilled" ? "" : String(one.reason.message)));
  expect(texts.sort()).toEqual(["", ...[1, 2].map(() => expect.stringMatching(/backup\.db exists\. Name a file/))]);
  expect(await checkSqliteStoreWith(target, parts)).toEqual([]);
  expect(readdirSync(folder).filter((name) => name.startsWith("backup"))).toEqual(["backup.db"]);
});

test("a backup whose file can't be written names that file and why, not the store that is copied", async () => {
  const folder = newFolder();
  const [file, target] = [join(folder, "store.db"), join(folder, `${"b".repeat(240)}.db`)];
  await (await opened(file)).close();
  await expect(backupSqliteStoreWith(file, target, { threadFile: await sqliteThreadFile() })).rejects.toMatchObject({
    storeCode: "unavailable",
    message: expect.stringMatching(/^The backup .*b\.db can't be written: ENAMETOOLONG.* or name another file\.$/),
  });
  const driver = await loadDriver();
  const full: SqliteDriver = {
    ...driver,
    open: (name, options) => {
      const database = driver.open(name, options);
      const prepare = (sql: string) => {
        if (sql.startsWith("vacuum")) throw new Error("database or disk is full");
        return database.prepare(sql);
      };
      return { prepare, exec: (sql) => database.exec(sql), close: () => database.close() };
    },
  };
  expect(() => copyDatabase(full, file, join(folder, "backup.db"))).toThrow(
    expect.objectContaining({
      storeCode: "full",
      message: expect.stringMatching(/^The backup .*backup\.db can't be written: .*full\. Make space on its disk/),
    }),
  );
});

test("a backup that begins while another one ends does not take its file away", async () => {
  const folder = newFolder();
  const [file, target] = [join(folder, "store.db"), join(folder, "backup.db")];
  const store = await opened(file);
  await committed(store, putOf("x"));
  const driver = await WatchedDriver.load();
  const synced: string[] = [];
  onSync((path) => {
    synced.push(path);
    // The first has copied everything, and its file has no name yet.
    if (synced.length === 1) copyDatabase(driver, file, target);
  });
  expect(() => copyDatabase(driver, file, target)).toThrow(/backup\.db exists/);
  expect(readdirSync(folder).filter((name) => name.startsWith("backup"))).toEqual(["backup.db"]);
});

test("the name of a backup is on the disk, too, when the backup is made", async (context) => {
  if (!existsSync("/proc/self/fd")) return context.skip("needs /proc");
  const folder = newFolder();
  const [file, target] = [join(folder, "store.db"), join(folder, "backup.db")];
  await (await opened(file)).close();
  const synced: string[] = [];
  onSync((path) => synced.push(existsSync(target) ? path : "before"));
  copyDatabase(await WatchedDriver.load(), file, target);
  expect(synced).toEqual(["before", folder]);
});

test("a backup removes what one that was killed has left, and nothing else", async () => {
  const folder = newFolder();
  const file = join(folder, "store.db");
  await (await opened(file)).close();
  // No system gives a process this number.
  const left = `backup.db.${2 ** 31 - 1}-${"0".repeat(16)}.partial`;
  const others = [`backup.db.${process.pid}-${"0".repeat(16)}.partial`, "backup.db.notes", `x${left}`];
  for (const name of [left, ...others]) writeFileSync(join(folder, name), "");
  copyDatabase(await WatchedDriver.load(), file, join(folder, "backup.db"));
  expect(
    readdirSync(folder)
      .filter((name) => name.includes("backup"))
      .sort(),
  ).toEqual(["backup.db", ...others].sort());
});

test.skipIf(process.platform === "win32")("only its owner may read a backup, wherever it is", async () => {
  const folder = newFolder();
  const [file, target] = [join(folder, "store.db"), join(folder, "backup.db")];
  await (await opened(file)).close();
  await backupSqliteStoreWith(file, target, { threadFile: await sqliteThreadFile() });
  expect(statSync(target).mode & 0o777).toBe(0o600);
});

test("a check names the faults of a damaged file", async () => {
  const folder = newFolder();
  const file = join(folder, "store.db");
  const parts = { threadFile: await sqliteThreadFile() };
  const store = await opened(file);
  await store.commit(Array.from({ length: 300 }, (_, key) => putOf("x".repeat(1_000), ofKey(key))));
  await store.close();
  expect(await checkSqliteStoreWith(file, parts)).toEqual([]);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0xaa, bytes.length - 60_000, bytes.length - 40_000));
  const faults = await checkSqliteStoreWith(file, parts);
  expect(faults.length).toBeGreaterThan(1);
  for (const fault of faults) expect(fault).toMatch(/^(?!\*\*\*)(?!.*\\n)./);
  writeFileSync(file, "no database ".repeat(1_000));
  expect(await checkSqliteStoreWith(file, parts)).toEqual(["file is not a database"]);
  await expect(checkSqliteStoreWith(join(folder, "none.db"), parts)).rejects.toMatchObject({
    storeCode: "unavailable",
  });
});

test("a check of another program's file, or of a newer store, says so, and calls nothing damaged", async () => {
  const folder = newFolder();
  const [foreign, newer] = [join(folder, "foreign.db"), join(folder, "newer.db")];
  const parts = { threadFile: await sqliteThreadFile() };
  for (const [file, change] of [
    [foreign, "pragma application_id = 7"],
    [newer, "pragma user_version = 99"],
  ] as const) {
    await (await opened(file)).close();
    const database = (await loadDriver()).open(file, {});
    database.exec(change);
    database.close();
  }
  await expect(checkSqliteStoreWith(foreign, parts)).rejects.toMatchObject({
    message: `${foreign} is not a state store of Troupe. Name another file.`,
  });
  await expect(checkSqliteStoreWith(newer, parts)).rejects.toMatchObject({
    message: expect.stringMatching(/^A newer version of Troupe has written .* Upgrade this program\.$/),
  });
});

test("a folder that does not exist, or in place of a file, is named in the error", async () => {
  const folder = newFolder();
  const [missing, file] = [join(folder, "missing"), join(folder, "store.db")];
  const parts = { threadFile: await sqliteThreadFile() };
  await (await opened(file)).close();
  const opens = [
    () => openSqliteStoreWith(join(missing, "store.db"), {}, parts),
    () => openSqliteStoreWith(join(missing, "store.db"), { thread: false }, {}),
    () => backupSqliteStoreWith(file, join(missing, "backup.db"), parts),
  ];
  for (const open of opens) {
    await expect(open()).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringMatching(
        /^There is no folder .*missing for .*\.db\. Make the folder, or name another file\.$/,
      ),
    });
  }
  for (const open of [() => openSqliteStoreWith(folder, {}, parts), () => checkSqliteStoreWith(folder, parts)]) {
    await expect(open()).rejects.toMatchObject({ message: `${folder} is a folder. Name a file in it.` });
  }
  const device = openSqliteStoreWith("/dev/null", {}, parts);
  await expect(device).rejects.toMatchObject({ message: "/dev/null is a device or a pipe. Name a file." });
});
