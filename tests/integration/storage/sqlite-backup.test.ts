import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadDriver } from "../../../src/storage/sqlite/driver.ts";
import {
  backupSqliteStoreWith,
  checkSqliteStoreWith,
  openSqliteStoreWith,
} from "../../../src/storage/sqlite/open-sqlite-store.ts";
import { committed, putOf, reminderAt } from "../../../src/testing/contracts/state-store/store-case.ts";
import { newFolder, sqliteThreadFile } from "../../support/sqlite-stores.ts";

async function opened(file: string) {
  const store = await openSqliteStoreWith(file, {}, { threadFile: await sqliteThreadFile() });
  onTestFinished(() => store.close());
  await store.open();
  return store;
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
  writeFileSync(file, bytes.fill(0xaa, bytes.length / 2, bytes.length / 2 + 50_000));
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
