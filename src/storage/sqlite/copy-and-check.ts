import { existsSync } from "node:fs";
import { errorText, loggableText, mailSize, nameInError, StoreError } from "../../core/internal.ts";
import { writeNewFile } from "./backup-file.ts";
import { assertPlace, type Database, type Row, type SqliteDriver } from "./driver.ts";
import { codeOf } from "./sqlite-error.ts";
import { nameIn, textIn } from "./tables/columns.ts";
import { readSchemaVersion, sizesSince } from "./tables/schema.ts";

/** Faults that a check lists at most. */
const mostFaults = 100;

/** Copies a store into a new file, while others may write to it. The copy gets its name when it is complete and on the disk. */
export function copyDatabase(driver: SqliteDriver, file: string, target: string): void {
  assertFile(file);
  assertPlace(target);
  writeNewFile(target, (partial) => {
    withDatabase(driver, file, (database) => {
      readSchemaVersion(database, file);
      database.prepare("vacuum into ?").run(partial);
    });
  });
}

/** Checks the structure of a store, while others may write to it. Returns the faults that it finds. Throws for a file that is not such a store. */
export function findDamage(driver: SqliteDriver, file: string): readonly string[] {
  assertFile(file);
  let isStore = false;
  try {
    return withDatabase(driver, file, (database) => {
      const version = readSchemaVersion(database, file);
      isStore = true;
      const faults = rowsOfCheck(database)
        .flatMap((row) => faultsIn(String(Object.values(row)[0])))
        .slice(0, mostFaults);
      if (version < sizesSince || faults.length > 0) return faults;
      return wrongSizes(database);
    });
  } catch (error) {
    const isDamage = isStore && error instanceof StoreError && error.storeCode === "corrupt";
    if (isDamage || codeOf(error) !== undefined) return [loggableText(errorText(error))];
    throw error;
  }
}

/** The rows of SQLite's own check. It ends with an error where it reads on a damaged page; its first row has the faults of all pages. */
function rowsOfCheck(database: Database): readonly Row[] {
  const check = database.prepare(`pragma quick_check(${mostFaults})`);
  try {
    return check.all();
  } catch (error) {
    const row = check.get();
    if (row === undefined) throw error;
    return [row];
  }
}

/** SQLite puts many faults into one row, behind a line with the name of the database. */
function faultsIn(row: string): readonly string[] {
  const lines = row.split("\n").filter((line) => line !== "" && line !== "ok" && !line.startsWith("*** in database "));
  return lines.map((line) => loggableText(line));
}

/** One statement each, since another program may write meanwhile. */
const wrongMailboxes = `
with counted as (select type, key, count(*) as messages, sum(length(frame) + ${mailSize(0)}) as bytes from mail group by type, key),
  compared as (
    select type, key, messages, bytes, 1 as is_counted from counted
    union all select type, key, messages, bytes, 0 from mailbox_sizes)
select type, key, sum(is_counted * messages) as messages, sum(is_counted * bytes) as bytes from compared group by type, key
  having sum((2 * is_counted - 1) * messages) <> 0 or sum((2 * is_counted - 1) * bytes) <> 0 limit ?`;
const wrongTypes = `
select type, sum(counted) as bytes from (
  select type, length(frame) + ${mailSize(0)} as counted, 0 as stored from mail
  union all select type, 0, bytes from mail_type_sizes)
group by type having sum(counted) <> sum(stored) limit ?`;
const wrongTotal = `
select (select bytes from mail_size) as stored, (select coalesce(sum(length(frame) + ${mailSize(0)}), 0) from mail) as bytes`;

/** Counts the mail, and compares it with the sizes that the store has written down. */
function wrongSizes(database: Database): readonly string[] {
  const faults = database
    .prepare(wrongMailboxes)
    .all(mostFaults)
    .map((row) => {
      const name = nameInError(nameIn(row));
      return `the size of the mailbox of ${name} is wrong: it has ${row.messages} messages of ${row.bytes} bytes`;
    });
  for (const row of database.prepare(wrongTypes).all(mostFaults)) {
    const name = nameInError({ type: textIn(row, "type"), key: "*" });
    faults.push(`the size of the mail of ${name} is wrong: it has ${row.bytes} bytes`);
  }
  const total = database.prepare(wrongTotal).get();
  if (total?.stored !== total?.bytes) faults.push(`the size of all mail is wrong: it has ${total?.bytes} bytes`);
  const listed = faults.slice(0, mostFaults - 1);
  return faults.length === 0 ? [] : [...listed, "the next program that opens this store to write counts its mail anew"];
}

function withDatabase<T>(driver: SqliteDriver, file: string, use: (database: Database) => T): T {
  const database = driver.open(file, { readOnly: true });
  try {
    database.exec("pragma busy_timeout = 5000");
    return use(database);
  } finally {
    database.close();
  }
}

function assertFile(file: string): void {
  assertPlace(file);
  if (!existsSync(file)) throw new StoreError("unavailable", `There is no state store ${loggableText(file)}.`);
}
