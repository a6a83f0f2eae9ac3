import type { Database, SqliteDriver } from "./driver.ts";
import { codeOf, sqliteCode } from "./sqlite-error.ts";

/**
 * The lock of a store: a transaction on a second, empty database beside the file, which is open as long as the store is held. The
 * operating system ends it with the process.
 */
export class StoreLock {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** Takes the lock at once. Undefined: another holder has it. */
  static take(driver: SqliteDriver, file: string): StoreLock | undefined {
    const database = driver.open(`${file}.lock`);
    try {
      database.exec("pragma busy_timeout = 0; pragma journal_mode = memory; begin exclusive");
      return new StoreLock(database);
    } catch (error) {
      database.close();
      if (codeOf(error) === sqliteCode.busy) return undefined;
      throw error;
    }
  }

  release(): void {
    this.#database.close();
  }
}
