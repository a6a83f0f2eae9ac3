import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import {
  anyRoom,
  assertOptions,
  assertText,
  type Clock,
  clock as clockKind,
  flag,
  type Logger,
  logger as loggerKind,
  mailBoundsOf,
  number,
  optionShape,
  type StateStore,
  systemClock,
  TroupeError,
  word,
} from "../../core/internal.ts";
import type { DatabaseOptions } from "./asks.ts";
import { loadDriver, type SqliteDriver } from "./driver.ts";
import { createDirectExecutor, defaultThreadFile, runInThread, startThreadExecutor } from "./executor.ts";
import { SqliteStateStore } from "./sqlite-state-store.ts";
import { inMemory } from "./state-database.ts";

/** Options of `openSqliteStore`. */
export interface SqliteStoreOptions {
  /**
   * `full`: a commit that was acknowledged survives a power cut. `normal`: it survives the end of the process, also by `kill -9`, but
   * perhaps not the end of the machine. Default: `full`.
   */
  readonly synchronous?: "full" | "normal" | undefined;
  /** Limit of one agent's state, and of one message, in bytes. A commit beyond it is refused. Default: 16 MiB. */
  readonly maxValueBytes?: number | undefined;
  /** Limit of the messages of one mailbox: an agent's told messages. Default: 10 000. */
  readonly maxMailboxMessages?: number | undefined;
  /** Limit of the bytes of one mailbox. Each message counts its own and 1 KiB. Default: 64 MiB. */
  readonly maxMailboxBytes?: number | undefined;
  /** Limit of the bytes of all mailboxes. The agents of one type have at most two thirds. Default: 1 GiB. */
  readonly maxMailBytes?: number | undefined;
  /**
   * Limit of the file, in bytes. A commit for which it has no space is refused as `full`. The log beside the file may take 64 MiB more.
   * Default: none.
   */
  readonly maxFileBytes?: number | undefined;
  /** Bytes that may wait for the database; a call beyond them rejects as `overloaded`. Default: 64 MiB. */
  readonly maxQueuedBytes?: number | undefined;
  /** Runs SQLite in a thread of its own. Without it, this thread waits for the disk: for tests and tools. Default: true. */
  readonly thread?: boolean | undefined;
  /** Only reads: the file must exist and need not be writable, and `open()` rejects. Default: false. */
  readonly readOnly?: boolean | undefined;
  /** Checks the structure of the file when the store is opened. Default: false. */
  readonly checksOnOpen?: boolean | undefined;
  /** Takes the store's failures. Default: no log. */
  readonly logger?: Logger | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

const shape = optionShape<SqliteStoreOptions>({
  synchronous: word("full", "normal"),
  maxValueBytes: number(anyRoom),
  maxMailboxMessages: number(anyRoom),
  maxMailboxBytes: number(anyRoom),
  maxMailBytes: number(anyRoom),
  maxFileBytes: number(anyRoom),
  maxQueuedBytes: number(anyRoom),
  thread: flag,
  readOnly: flag,
  checksOnOpen: flag,
  logger: loggerKind,
  clock: clockKind,
});

/** Parts that tests replace. */
export interface SqliteParts {
  readonly driver?: SqliteDriver;
  readonly threadFile?: URL;
  /** Milliseconds for which a write waits for another program's. */
  readonly busyTimeoutMs?: number;
}

/**
 * Opens a SQLite file as a state store, and makes it if there is none. Its folder must exist. Reading is possible at once; `open()`
 * takes the right to write, which one process has at a time. Needs Node 22.13 or newer, or the package `@photostructure/sqlite`.
 *
 * Rejects with a `StoreError`. It is `corrupt` for a damaged file and for another program's. It is `unavailable` without a driver, for a
 * file of a newer version of Troupe, and for a file that can't be opened.
 *
 * @example
 * ```ts
 * await using store = await openSqliteStore("agents.db");
 * await store.open();
 * ```
 */
export function openSqliteStore(file: string, options: SqliteStoreOptions = {}): Promise<StateStore> {
  return openSqliteStoreWith(file, options, {});
}

/** As `openSqliteStore`, with other parts. */
export async function openSqliteStoreWith(
  file: string,
  options: SqliteStoreOptions,
  parts: SqliteParts,
): Promise<StateStore> {
  assertFileName(file);
  assertOptions(options, shape, "openSqliteStore");
  const mail = mailBoundsOf(options);
  const databaseOptions: Omit<DatabaseOptions, "heldIncarnation"> = {
    file: file === inMemory ? file : resolve(file),
    readOnly: options.readOnly ?? false,
    synchronous: options.synchronous ?? "full",
    maxValueBytes: options.maxValueBytes ?? 16 * 1024 * 1024,
    mail,
    maxFileBytes: options.maxFileBytes ?? Number.POSITIVE_INFINITY,
    checksOnOpen: options.checksOnOpen ?? false,
    busyTimeoutMs: parts.busyTimeoutMs ?? 5_000,
    storeId: randomUUID(),
  };
  const driver = options.thread === false ? (parts.driver ?? (await loadDriver())) : undefined;
  const store = new SqliteStateStore({
    clock: options.clock ?? systemClock,
    logger: options.logger,
    mail,
    maxQueuedBytes: options.maxQueuedBytes ?? 64 * 1024 * 1024,
    start: async (heldIncarnation, events) => {
      const all = { ...databaseOptions, heldIncarnation };
      if (driver !== undefined) return createDirectExecutor(driver, all, events);
      return startThreadExecutor(parts.threadFile ?? defaultThreadFile, all, events);
    },
  });
  await store.start();
  return store;
}

/**
 * Copies a store into a new file, also while a process writes to it. The copy has everything that was acknowledged before the call.
 * Rejects with a `StoreError`; then there is no file of that name.
 *
 * @example
 * ```ts
 * await backupSqliteStore("agents.db", "agents-backup.db");
 * ```
 */
export async function backupSqliteStore(file: string, target: string): Promise<void> {
  await backupSqliteStoreWith(file, target, {});
}

/** As `backupSqliteStore`, with other parts. */
export async function backupSqliteStoreWith(file: string, target: string, parts: SqliteParts): Promise<void> {
  assertFileName(file);
  assertText(target, "The file of a backup");
  const task = { kind: "backup", file: resolve(file), target: resolve(target) } as const;
  await runInThread(parts.threadFile ?? defaultThreadFile, task);
}

/**
 * Checks the structure of a store, also while a process writes to it. Resolves to the faults that it finds, at most 100 of them; none
 * if the file is sound. It reads the whole file. Rejects as `unavailable` if there is no such file, or a newer version of Troupe wrote it.
 * Rejects as `corrupt` if it is not a store.
 */
export async function checkSqliteStore(file: string): Promise<readonly string[]> {
  return checkSqliteStoreWith(file, {});
}

/** As `checkSqliteStore`, with other parts. */
export async function checkSqliteStoreWith(file: string, parts: SqliteParts): Promise<readonly string[]> {
  assertFileName(file);
  return runInThread(parts.threadFile ?? defaultThreadFile, { kind: "check", file: resolve(file) });
}

function assertFileName(file: string): void {
  assertText(file, "The file of a state store, such as agents.db,");
  if (file.trim() !== "") return;
  throw new TroupeError(
    "invalid-argument",
    "The name of a state store's file is empty. Name a file, such as agents.db.",
  );
}
