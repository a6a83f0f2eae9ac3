import { statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { loggableText, type MailBounds, StoreError } from "../../core/internal.ts";
import type { DatabaseOptions } from "./asks.ts";
import type { Database, SqliteDriver, Statement } from "./driver.ts";
import { LogTables } from "./tables/log-tables.ts";
import { RunTables } from "./tables/run-tables.ts";
import { logSince, migrate, readSchemaVersion, recountMail, runsSince, sizesAgree } from "./tables/schema.ts";
import { TableReads } from "./tables/table-reads.ts";
import { TableWrites } from "./tables/table-writes.ts";

/** An open state store's file with its prepared statements. */
export class Connection {
  readonly database: Database;
  readonly reads: TableReads;
  readonly writes: TableWrites;
  readonly #readMeta: Statement;
  readonly #writeMeta: Statement;
  readonly #mailBounds: MailBounds;
  #log: LogTables | undefined;
  #runs: RunTables | undefined;

  private constructor(database: Database, options: DatabaseOptions, makeETag: () => string) {
    this.database = database;
    this.#mailBounds = options.mail;
    this.reads = new TableReads(database);
    this.writes = new TableWrites(database, { maxValueBytes: options.maxValueBytes, makeETag });
    this.#readMeta = database.prepare("select value from meta where name = ?");
    this.#writeMeta = database.prepare("insert or replace into meta(name, value) values(?, ?)");
  }

  /** Opens the file, and makes the tables of a new one. */
  static open(driver: SqliteDriver, options: DatabaseOptions, makeETag: () => string): Connection {
    const { file, synchronous, busyTimeoutMs } = options;
    if (options.readOnly) return Connection.#openToRead(driver, options, makeETag);
    const database = driver.open(file);
    try {
      database.exec(`pragma busy_timeout = ${busyTimeoutMs}`);
      const version = readSchemaVersion(database, file);
      // A smaller cache or more frequent checkpoints cost 40 % of the writes over a working set of 13 MB.
      database.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma trusted_schema = off;
        pragma cache_size = -65536; pragma wal_autocheckpoint = 4000; pragma journal_size_limit = 67108864`);
      // An older program may hold a file of an older version, so that only `StateDatabase.open` migrates it.
      if (version === 0) migrate(database, file);
      if (options.maxFileBytes < Number.POSITIVE_INFINITY) limitPages(database, options.maxFileBytes);
      return new Connection(database, options, makeETag);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Opens a file that it does not change, perhaps beside a host that writes to it. */
  static #openToRead(driver: SqliteDriver, options: DatabaseOptions, makeETag: () => string): Connection {
    const { file, busyTimeoutMs } = options;
    const connect = (name: string): Connection => {
      const database = driver.open(name, { readOnly: true });
      try {
        database.exec(`pragma busy_timeout = ${busyTimeoutMs}; pragma trusted_schema = off`);
        if (readSchemaVersion(database, file) === 0) throw new StoreError("unavailable", emptyText(file));
        return new Connection(database, options, makeETag);
      } catch (error) {
        database.close();
        throw error;
      }
    };
    try {
      return connect(file);
    } catch (error) {
      // SQLite makes a file beside a database that it reads. Where it can't, no program writes to the database either.
      if (error instanceof StoreError || (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0)
        throw error;
      return connect(`${pathToFileURL(file)}?immutable=1`);
    }
  }

  /** Whether the file has the tables of the log. */
  get hasLog(): boolean {
    return this.#log !== undefined || this.#version() >= logSince;
  }

  /** Whether the file has the tables of runs. */
  get hasRuns(): boolean {
    return this.#runs !== undefined || this.#version() >= runsSince;
  }

  /** The tables of runs. A file of an older version has them once it was opened to write. */
  get runs(): RunTables {
    this.#runs ??= new RunTables(this.database);
    return this.#runs;
  }

  /** The tables of the log. A file of an older version has them once it was opened to write. */
  get log(): LogTables {
    this.#log ??= new LogTables(this.database, this.#mailBounds);
    return this.#log;
  }

  get sqliteVersion(): string {
    return String(this.database.prepare("select sqlite_version() as version").get()?.version);
  }

  /** Reads a number of the store itself; 0: it has none of this name. */
  number(name: "incarnation" | "newest_generation"): number {
    return Number(this.#readMeta.get(name)?.value ?? 0);
  }

  /** Reads what the holder has written about itself. */
  holder(): string {
    return String(this.#readMeta.get("holder")?.value);
  }

  setMeta(name: "incarnation" | "newest_generation" | "holder", value: number | string): void {
    this.#writeMeta.run(name, value);
  }

  /** Runs in a transaction that writes. `onFailure` hears whether it failed while it was being committed. */
  transaction<T>(write: () => T, onFailure: (error: unknown, isCommitting: boolean) => unknown = (error) => error): T {
    let isCommitting = false;
    this.database.exec("begin immediate");
    try {
      const result = write();
      isCommitting = true;
      this.database.exec("commit");
      return result;
    } catch (error) {
      try {
        this.database.exec("rollback");
      } catch {
        // SQLite has rolled it back itself.
      }
      throw onFailure(error, isCommitting);
    }
  }

  #version(): number {
    return Number(this.database.prepare("pragma user_version").get()?.user_version);
  }

  /** Counts the mail anew if its sizes do not agree, inside the transaction of its caller. */
  mendMailSizes(): void {
    if (Number(this.database.prepare(sizesAgree).get()?.agree) !== 1) this.database.exec(recountMail);
  }

  /** Checks the structure of the file. Undefined: it is sound. */
  findDamage(): string | undefined {
    const [row] = this.database.prepare("pragma quick_check(1)").all();
    const text = String(Object.values(row ?? {})[0]);
    return text === "ok" ? undefined : text;
  }

  /** Moves everything into the file itself. Node's driver does it when it closes; the peer leaves statements open, and does not. */
  emptyWriteAheadLog(): void {
    try {
      this.database.exec("pragma wal_checkpoint(truncate)");
    } catch {
      // The next opening reads the log.
    }
  }

  close(): void {
    this.database.close();
  }
}

function emptyText(file: string): string {
  return `${loggableText(file)} is empty. A host or a program that opens it makes the store; name another file to read.`;
}

/** SQLite does not go below the pages that the file has. */
function limitPages(database: Database, maxFileBytes: number): void {
  const pageBytes = Number(database.prepare("pragma page_size").get()?.page_size);
  database.exec(`pragma max_page_count = ${Math.max(1, Math.floor(maxFileBytes / pageBytes))}`);
}
