import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { errorText, loggableText, StoreError } from "../../core/internal.ts";
import { assertPlace, type Database, type SqliteDriver } from "./driver.ts";
import { readSchemaVersion } from "./schema.ts";
import { codeOf } from "./sqlite-error.ts";

/** Faults that a check lists at most. */
const mostFaults = 100;

/** Copies a store into a new file, while others may write to it. The copy gets its name when it is complete and on the disk. */
export function copyDatabase(driver: SqliteDriver, file: string, target: string): void {
  assertFile(file);
  if (existsSync(target)) {
    throw new StoreError("unavailable", `${loggableText(target)} exists. Name a file that does not, for the backup.`);
  }
  assertPlace(target);
  const partial = `${target}.partial`;
  rmSync(partial, { force: true });
  try {
    withDatabase(driver, file, (database) => {
      readSchemaVersion(database, file);
      database.prepare("vacuum into ?").run(partial);
    });
    const copy = openSync(partial, "r");
    fsyncSync(copy);
    closeSync(copy);
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Checks the structure of a store, while others may write to it. Returns the faults that it finds. */
export function findDamage(driver: SqliteDriver, file: string): readonly string[] {
  assertFile(file);
  try {
    return withDatabase(driver, file, (database) => {
      readSchemaVersion(database, file);
      const found = database.prepare(`pragma quick_check(${mostFaults})`).all();
      return found.map((row) => loggableText(String(Object.values(row)[0]))).filter((text) => text !== "ok");
    });
  } catch (error) {
    const isDamage = codeOf(error) !== undefined || (error instanceof StoreError && error.storeCode === "corrupt");
    if (isDamage) return [loggableText(errorText(error))];
    throw error;
  }
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
