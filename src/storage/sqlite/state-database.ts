import { statSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import { type CommitOutcome, loggableText, StoreError, type StoreOpening } from "../../core/internal.ts";
import type { Answers, AskOf, DatabaseOptions, WriteAsk } from "./asks.ts";
import { Connection } from "./connection.ts";
import { assertPlace, type SqliteDriver } from "./driver.ts";
import {
  codeOf,
  damagedError,
  goneError,
  isOfOneCommit,
  logGoneError,
  sqliteCode,
  toStoreError,
} from "./sqlite-error.ts";
import { StoreLock } from "./store-lock.ts";
import type { LogTables } from "./tables/log-tables.ts";
import type { RunTables } from "./tables/run-tables.ts";
import { migrate } from "./tables/schema.ts";
import type { TableReads } from "./tables/table-reads.ts";

/** The answer to a write. */
type Written = Answers[WriteAsk["kind"]];
export type WriteResult = { readonly value: Written } | { readonly error: StoreError };

/** I/O errors in a row after which the file is opened again. */
const mostIoErrors = 3;
/** Milliseconds between two groups that also delete old rows of tables to which no new ones come, and how many. */
const forgetEveryMs = 60_000;
/** Ids that are forgotten first when the file has no space. */
const fewestSpareIds = 64;
const forgottenThen = 1_000;
/** The file of a database in memory, which needs no lock. */
export const inMemory = ":memory:";

/** The tables of one SQLite file, and the right to write to them. Synchronous; it runs in the store's thread. */
export class StateDatabase {
  readonly #driver: SqliteDriver;
  readonly #options: DatabaseOptions;
  #connection: Connection;
  #lock: StoreLock | undefined;
  /** 0: `open` has not been called. */
  #incarnation = 0;
  #eTags = 0;
  #newestGeneration = 0;
  readonly #fileId: string | undefined;
  /** Of the write-ahead log, which stays the same file while this store is open. */
  #logId: string | undefined;
  #ioErrors = 0;
  #forgotAtMs = 0;
  /** The error with which a store ends that is damaged or fenced. */
  #end: StoreError | undefined;

  /** Opens the file, and makes the tables of a new one. Throws a `StoreError`. */
  constructor(driver: SqliteDriver, options: DatabaseOptions) {
    this.#driver = driver;
    this.#options = options;
    try {
      if (options.file !== inMemory) assertPlace(options.file);
      this.#connection = this.#connect();
    } catch (error) {
      throw toStoreError(error, options.file);
    }
    this.#fileId = this.#idOf(options.file);
  }

  get sqliteVersion(): string {
    return this.#connection.sqliteVersion;
  }

  open({ takesOver, nowMs }: AskOf<"open">): StoreOpening {
    this.#assertSound();
    if (this.#options.readOnly) {
      const text = `${loggableText(this.#options.file)} was opened to read only. Open the store without readOnly.`;
      throw new StoreError("unavailable", text);
    }
    try {
      this.#takeLock(takesOver);
      const damage = this.#options.checksOnOpen ? this.#connection.findDamage() : undefined;
      if (damage !== undefined) throw damagedError(this.#options.file, damage);
      migrate(this.#connection.database, this.#options.file);
      return this.#takeOver(nowMs);
    } catch (error) {
      if (this.#incarnation === 0) this.#releaseLock();
      throw this.#failure(error);
    }
  }

  /** Reads with the prepared statements. */
  read<T>(use: (reads: TableReads) => T): T {
    this.#assertNotDamaged();
    try {
      return use(this.#connection.reads);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Reads with the statements of the log. A file that no newer program has opened yet has no log: then it returns `without`. */
  readLog<T>(use: (log: LogTables) => T, without: T): T {
    return this.read(() => (this.#connection.hasLog ? use(this.#connection.log) : without));
  }

  /** Reads with the statements of runs. A file that no newer program has opened yet has no runs: then it returns `without`. */
  readRuns<T>(use: (runs: RunTables) => T, without: T): T {
    return this.read(() => (this.#connection.hasRuns ? use(this.#connection.runs) : without));
  }

  /**
   * Writes all of it in one transaction. If one commit fails by itself, each is written in a transaction of its own. `spareIds`: ids of told
   * messages that are forgotten if the file has no space. Each further attempt forgets twice as many.
   */
  write(asks: readonly WriteAsk[], spareIds = fewestSpareIds): readonly WriteResult[] {
    try {
      const results = this.#writeTogether(asks);
      this.#ioErrors = 0;
      return results.map((value) => ({ value }));
    } catch (error) {
      if (codeOf(error) === sqliteCode.full && this.#makeRoom(spareIds)) return this.write(asks, 2 * spareIds);
      if (isOfOneCommit(error)) return asks.map((ask) => this.#writeAlone(ask));
      const failure = this.#failure(error);
      return asks.map(() => ({ error: failure }));
    }
  }

  /** Looks whether the file is still the one that was opened. Takes the lock, if an older holder has let it go. */
  look(): undefined {
    this.#assertNotDamaged();
    if (this.#options.file === inMemory) return undefined;
    this.#assertInPlace();
    const isHolder = this.#incarnation !== 0 && this.#end === undefined;
    if (isHolder) this.#lock ??= StoreLock.take(this.#driver, this.#options.file);
    return undefined;
  }

  close(): undefined {
    if (this.#incarnation !== 0 && this.#end === undefined) this.#connection.emptyWriteAheadLog();
    this.#connection.close();
    this.#releaseLock();
    return undefined;
  }

  #writeTogether(asks: readonly WriteAsk[]): readonly Written[] {
    this.#assertSound();
    if (this.#incarnation === 0) throw new StoreError("not-open", "Call open() before you write to this store.");
    this.#assertInPlace();
    const generation = this.#newestIn(asks);
    const connection = this.#connection;
    const write = () => {
      this.#assertHolder();
      const results = asks.map((ask) => writeOf(ask, connection));
      if (generation > this.#newestGeneration) connection.setMeta("newest_generation", generation);
      this.#forget(asks);
      return results;
    };
    const results = connection.transaction(write, (error, isCommitting) =>
      isCommitting && codeOf(error) === sqliteCode.ioError ? this.#undecidedError(error) : error,
    );
    this.#newestGeneration = generation;
    return results;
  }

  #writeAlone(ask: WriteAsk): WriteResult {
    if (ask.kind !== "commit") return this.#writeOne(ask);
    const outcomes: CommitOutcome[] = [];
    for (const commit of ask.commits) {
      const result = this.#writeOne({ ...ask, commits: [commit] });
      if ("error" in result) {
        // Some commits of this call may have happened.
        const isPartial = outcomes.some(({ at }) => at === "committed");
        return isPartial ? { error: new StoreError("unknown", result.error.message, { cause: result.error }) } : result;
      }
      if (Array.isArray(result.value)) outcomes.push(...result.value);
    }
    return { value: outcomes };
  }

  #writeOne(ask: WriteAsk): WriteResult {
    try {
      return { value: this.#writeTogether([ask])[0] };
    } catch (error) {
      if (ask.kind === "commit" && codeOf(error) === sqliteCode.tooBig) {
        return { value: [{ at: "refused", limit: "bytes of a row in SQLite" }] };
      }
      return { error: this.#failure(error) };
    }
  }

  /** Makes the next incarnation, which ends the one before. */
  #takeOver(nowMs: number): StoreOpening {
    const connection = this.#connection;
    const { heldIncarnation, storeId } = this.#options;
    const held = this.#incarnation || heldIncarnation;
    const opening = connection.transaction(() => {
      const stored = connection.number("incarnation");
      // A thread that was lost may have opened the store anew, and not have said so.
      if (held !== 0 && stored !== held && !this.#isOwn()) throw this.#fencedError();
      const newestGeneration = Math.max(stored, connection.number("newest_generation"));
      const incarnation = Math.max(newestGeneration + 1, Math.floor(nowMs / 1_000));
      connection.mendMailSizes();
      connection.setMeta("incarnation", incarnation);
      connection.setMeta("newest_generation", incarnation);
      const since = new Date(nowMs).toISOString();
      connection.setMeta("holder", JSON.stringify({ host: hostname(), pid: process.pid, since, store: storeId }));
      return { incarnation, newestGeneration };
    });
    this.#incarnation = opening.incarnation;
    this.#newestGeneration = opening.incarnation;
    this.#logId = this.#idOf(`${this.#options.file}-wal`);
    this.#eTags = 0;
    return opening;
  }

  /** Throws if another store has made the last opening. Inside a transaction. */
  #assertHolder(): void {
    const stored = this.#connection.number("incarnation");
    if (stored === this.#incarnation) return;
    if (!this.#isOwn()) throw this.#fencedError();
    // An opening of this store has failed at its end, and was written all the same.
    this.#incarnation = stored;
    this.#newestGeneration = Math.max(this.#newestGeneration, stored);
  }

  /** Whether this store has made the last opening. */
  #isOwn(): boolean {
    try {
      return JSON.parse(this.#connection.holder()).store === this.#options.storeId;
    } catch {
      return false;
    }
  }

  #takeLock(takesOver: boolean): void {
    const { file } = this.#options;
    if (file === inMemory || this.#lock !== undefined) return;
    this.#lock = StoreLock.take(this.#driver, file);
    if (this.#lock !== undefined || takesOver) return;
    const holder = `The state store ${loggableText(file)} is in use by ${this.#holderText()}.`;
    throw new StoreError("in-use", `${holder} Stop that program, or name another file.`);
  }

  #releaseLock(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** Describes the holder as it has written itself down. */
  #holderText(): string {
    try {
      const { host, pid, since } = JSON.parse(this.#connection.holder());
      return loggableText(`process ${pid} on ${host} since ${since}`);
    } catch {
      return "another process";
    }
  }

  #connect(): Connection {
    return Connection.open(this.#driver, this.#options, () => {
      this.#eTags += 1;
      return `${this.#incarnation.toString(36)}-${this.#eTags.toString(36)}`;
    });
  }

  /** Turns an error into a `StoreError`, and keeps it if the store ends with it. */
  #failure(error: unknown): StoreError {
    const failure = toStoreError(error, this.#options.file);
    if (failure.storeCode === "corrupt" || failure.storeCode === "fenced") this.#end ??= failure;
    if (failure.storeCode === "fenced") this.#releaseLock();
    if (codeOf(failure.cause) === sqliteCode.ioError) this.#countIoError();
    return failure;
  }

  #countIoError(): void {
    this.#ioErrors += 1;
    if (this.#ioErrors < mostIoErrors || this.#options.file === inMemory) return;
    this.#ioErrors = 0;
    const old = this.#connection;
    try {
      this.#connection = this.#connect();
    } catch {
      // The next questions try the old connection, and their errors come here again.
      return;
    }
    old.close();
  }

  #assertSound(): void {
    if (this.#end !== undefined) throw this.#end;
  }

  /** A fenced store may read. */
  #assertNotDamaged(): void {
    if (this.#end?.storeCode === "corrupt") throw this.#end;
  }

  #fencedError(): StoreError {
    const holder = `Another process has taken the state store ${loggableText(this.#options.file)}: ${this.#holderText()}.`;
    return new StoreError("fenced", `${holder} This one does not write to it any more.`);
  }

  #undecidedError(cause: unknown): StoreError {
    const { message } = toStoreError(cause, this.#options.file);
    return new StoreError("unknown", `${message} The commit may have happened.`, { cause });
  }

  #newestIn(asks: readonly WriteAsk[]): number {
    let newest = this.#newestGeneration;
    for (const ask of asks) {
      if (ask.kind !== "commit") continue;
      for (const { epoch } of ask.commits) newest = Math.max(newest, epoch?.generation ?? 0);
    }
    return newest;
  }

  /** The file has no space: ids of told messages make some. False: there are none, or the disk takes nothing at all. */
  #makeRoom(spareIds: number): boolean {
    try {
      const connection = this.#connection;
      return connection.transaction(
        () => connection.number("incarnation") === this.#incarnation && connection.log.forgetOldestIds(spareIds),
      );
    } catch {
      return false;
    }
  }

  #forget(asks: readonly WriteAsk[]): void {
    const nowMs = asks.reduce((latest, ask) => ("nowMs" in ask ? Math.max(latest, ask.nowMs) : latest), 0);
    if (nowMs === 0) return;
    // The clock may have been set back.
    const isTime = Math.abs(nowMs - this.#forgotAtMs) >= forgetEveryMs;
    if (isTime) this.#forgotAtMs = nowMs;
    const more = isTime ? forgottenThen : 0;
    this.#connection.writes.forget(nowMs, more);
    this.#connection.log.forget(nowMs, more);
    this.#connection.runs.forget(nowMs, more);
  }

  /**
   * Throws if another file is in the place of the one that was opened, or none. SQLite writes on to a file that was deleted, so that all it
   * acknowledges would be lost. Two looks take some microseconds, and a group of commits takes hundreds.
   */
  #assertInPlace(): void {
    const { file } = this.#options;
    if (file === inMemory) return;
    if (this.#idOf(file) !== this.#fileId) throw this.#failure(goneError(file));
    if (this.#logId === undefined) return;
    const log = `${file}-wal`;
    if (this.#idOf(log) === this.#logId) return;
    // SQLite still has the log open. What it acknowledged and has only there goes into the file, for the next start.
    this.#connection.emptyWriteAheadLog();
    throw this.#failure(logGoneError(file));
  }

  #idOf(file: string): string | undefined {
    if (this.#options.file === inMemory) return undefined;
    const found = statSync(file, { bigint: true, throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}`;
  }
}

/** Writes the answer to one question, inside the transaction of its caller. */
function writeOf(ask: WriteAsk, { writes, log, runs }: Connection): Written {
  switch (ask.kind) {
    case "commit":
      return ask.commits.map((commit) => writes.commit(commit, ask.nowMs, { log, runs }));
    case "settle":
      return void writes.settle(ask.done);
    case "append":
      return log.append(ask.mailbox, ask.message, ask.nowMs);
    case "bury":
      return log.bury(ask.message, ask.why, ask.nowMs);
    case "replay":
      return log.replay(ask.letters, ask.nowMs);
    case "drop":
      return log.drop(ask.letters);
  }
}
