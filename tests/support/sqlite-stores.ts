import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { onTestFinished } from "vitest";
import type { Clock, MailBoundOptions, StateStore } from "../../src/core/internal.ts";
import {
  type Database,
  loadDriver,
  type Row,
  type SqliteDriver,
  type SqlValue,
} from "../../src/storage/sqlite/driver.ts";
import {
  openSqliteStoreWith,
  type SqliteParts,
  type SqliteStoreOptions,
} from "../../src/storage/sqlite/open-sqlite-store.ts";
import type { StateStoreAdapter } from "../../src/testing/contracts/state-store.ts";

const root = resolve(import.meta.dirname, "../..");
let threadFile: Promise<URL> | undefined;

/** The thread's program in one JavaScript file, which Node runs without a build. */
export function sqliteThreadFile(): Promise<URL> {
  threadFile ??= bundleThread();
  return threadFile;
}

async function bundleThread(): Promise<URL> {
  const folder = join(root, "build/sqlite-thread");
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, "thread.mjs");
  const partial = join(folder, `${process.pid}.mjs`);
  await build({
    ...{ entryPoints: [join(root, "src/storage/sqlite/thread.ts")], outfile: partial, bundle: true },
    ...{ platform: "node", format: "esm", target: "node20", external: ["@photostructure/sqlite"], logLevel: "error" },
  });
  renameSync(partial, outfile);
  return pathToFileURL(outfile);
}

/** In memory where there is such a file system: most of these tests would only wait for the disk. */
const folders = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A new folder, which goes when the test has finished. */
export function newFolder(): string {
  const folder = mkdtempSync(join(folders, "troupe-sqlite-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A driver that remembers what it has opened, so that a test reaches a store's own connection and makes it fail. */
export class WatchedDriver implements SqliteDriver {
  readonly name: string;
  /** Everything that was executed outside of prepared statements, on all databases. */
  readonly executed: string[] = [];
  /** Gets the text of each statement before it runs. What it throws, the statement throws. */
  beforeStatement: (sql: string) => void = () => undefined;
  readonly #opened: { readonly file: string; readonly database: Database }[] = [];
  readonly #driver: SqliteDriver;

  constructor(driver: SqliteDriver) {
    this.#driver = driver;
    this.name = driver.name;
  }

  static async load(): Promise<WatchedDriver> {
    return new WatchedDriver(await loadDriver());
  }

  open(file: string, options?: { readonly readOnly?: boolean }): Database {
    const database = this.#driver.open(file, options);
    this.#opened.push({ file, database });
    return {
      exec: (sql) => {
        this.beforeStatement(sql);
        this.executed.push(sql);
        return database.exec(sql);
      },
      prepare: (sql) => {
        const statement = database.prepare(sql);
        const run = (...values: readonly SqlValue[]): unknown => {
          this.beforeStatement(sql);
          return statement.run(...values);
        };
        const get = (...values: readonly SqlValue[]): Row | undefined => {
          this.beforeStatement(sql);
          return statement.get(...values);
        };
        const all = (...values: readonly SqlValue[]): readonly Row[] => {
          this.beforeStatement(sql);
          return statement.all(...values);
        };
        return { run, get, all };
      },
      close: () => database.close(),
    };
  }

  /** Number of times that a file was opened. */
  timesOpened(file: string): number {
    return this.#opened.filter((one) => one.file === file).length;
  }

  /** The newest connection to a file, without what this driver adds. */
  connectionTo(file: string): Database {
    const found = this.#opened.findLast((one) => one.file === file);
    if (found === undefined) throw new Error(`No database ${file} was opened.`);
    return found.database;
  }
}

/** Makes an error as SQLite's drivers throw it. */
export function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { code: "ERR_SQLITE_ERROR", errcode });
}

/** Stores in new folders, for the contract suite. */
export class SqliteStores {
  readonly #options: SqliteStoreOptions;
  readonly #parts: SqliteParts;
  readonly #files = new WeakMap<StateStore, string>();

  constructor(options: SqliteStoreOptions, parts: SqliteParts) {
    this.#options = options;
    this.#parts = parts;
  }

  fileOf(store: StateStore): string {
    const file = this.#files.get(store);
    if (file === undefined) throw new Error("It is another store.");
    return file;
  }

  async open(file: string, clock: Clock, mail: MailBoundOptions = {}): Promise<StateStore> {
    const store = await openSqliteStoreWith(file, { ...this.#options, ...mail, clock }, this.#parts);
    this.#files.set(store, file);
    return store;
  }

  adapter(faults?: StateStoreAdapter["faults"]): StateStoreAdapter {
    return {
      create: ({ clock, mail }) => this.open(join(newFolder(), "store.db"), clock, mail),
      reopen: (store, { clock, mail }) => this.open(this.fileOf(store), clock, mail),
      faults,
    };
  }
}
