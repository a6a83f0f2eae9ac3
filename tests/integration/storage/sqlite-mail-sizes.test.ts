import { join } from "node:path";
import { expect, test } from "vitest";
import { checkSqliteStoreWith } from "../../../src/storage/sqlite/open-sqlite-store.ts";
import { bytesOf, commitOf, committed } from "../../../src/testing/contracts/state-store/store-case.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { openedRig, type SqliteRig } from "../../support/sqlite-rig.ts";
import { newFolder, sqliteThreadFile } from "../../support/sqlite-stores.ts";

const kiB = 1_024;
const frame = new Uint8Array(9 * kiB);

const mailTo = (type: string, key: string, id: string) =>
  ({ id, receiver: { type, key }, kind: "call", frame }) as const;

async function check(file: string): Promise<readonly string[]> {
  return checkSqliteStoreWith(file, { threadFile: await sqliteThreadFile() });
}

/** Bytes of all mail as the store counts them. */
function countedBytes({ driver, file }: SqliteRig): number {
  return Number(driver.connectionTo(file).prepare("select bytes from mail_size").get()?.bytes);
}

test("a check counts mail again, and names what is wrong; the next opening to write mends it", async () => {
  const rig = await openedRig();
  await committed(rig.store, commitOf({ mail: [mailTo("a\n", "1", "m1"), mailTo("b", "2", "m2")] }));
  expect(await check(rig.file)).toEqual([]);
  const database = rig.driver.connectionTo(rig.file);
  database.exec("update mailbox_sizes set bytes = 7, messages = 9 where key = x'31'; update mail_size set bytes = 1");
  database.exec("update mail_type_sizes set bytes = 3 where type = x'62'");
  expect(await check(rig.file)).toEqual([
    `the size of the mailbox of a\\n/1 is wrong: it has 1 messages of ${10 * kiB} bytes`,
    `the size of the mail of b/* is wrong: it has ${10 * kiB} bytes`,
    `the size of all mail is wrong: it has ${20 * kiB} bytes`,
    "the next program that opens this store to write counts its mail anew",
  ]);
  await rig.store.close();
  await openedRig(rig.file);
  expect(await check(rig.file)).toEqual([]);
});

test("mail of a file of version 2 is counted when a newer program opens it to write", async () => {
  const rig = await openedRig();
  await committed(rig.store, commitOf({ mail: [mailTo("a", "1", "m1"), mailTo("a", "2", "m2")] }));
  rig.driver.connectionTo(rig.file).exec(`
    drop trigger mail_added; drop trigger mail_removed; drop trigger run_removed; drop table runs; drop table run_chunks;
    drop table mailbox_sizes; drop table mail_type_sizes; drop table mail_size; pragma user_version = 2`);
  await rig.store.close();
  expect(await check(rig.file)).toEqual([]);
  const bounds = { maxMailboxBytes: 20 * kiB, maxMailBytes: 60 * kiB };
  const newer = await openedRig(rig.file, bounds);
  expect(countedBytes(newer)).toBe(20 * kiB);
  const { log } = newer.store;
  const append = (key: string, id: string) => log?.append({ type: "a", key }, { id, kind: "call", frame, sentAtMs: 1 });
  expect([await append("1", "m3"), await append("1", "m4"), await append("2", "m5")]).toEqual(["kept", "full", "kept"]);
  expect(await append("3", "m6")).toBe("type-full");
  expect(await check(rig.file)).toEqual([]);
});

test("sizes of mail are right after the process that writes it was killed with -9", async () => {
  const file = join(newFolder(), "store.db");
  await using program = new NodeProgram("tests/e2e/programs/mail-writer.ts", [file]);
  await program.output(/kept 40\n/);
  await program.stop("SIGKILL");
  expect(await check(file)).toEqual([]);
  const rig = await openedRig(file);
  const { mail } = await rig.store.stats();
  expect(countedBytes(rig)).toBe(mail * 10 * kiB);
  await committed(rig.store, commitOf({ mail: [{ ...mailTo("a", "1", "x"), frame: bytesOf("x") }] }));
  expect(await check(file)).toEqual([]);
});
