import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { StateStore } from "../../src/core/internal.ts";
import { openSqliteStoreWith, type SqliteStoreOptions } from "../../src/storage/sqlite/open-sqlite-store.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { newFolder, WatchedDriver } from "./sqlite-stores.ts";

/** A SQLite store in the test's own thread, with its parts. */
export interface SqliteRig {
  readonly store: StateStore;
  readonly file: string;
  readonly driver: WatchedDriver;
  readonly clock: ManualClock;
  readonly logger: RecordingLogger;
}

/** Opens a file of a new folder, or this one, without the right to write. */
export async function openRig(
  file = join(newFolder(), "store.db"),
  options: SqliteStoreOptions = {},
): Promise<SqliteRig> {
  const driver = await WatchedDriver.load();
  const clock = new ManualClock(1_000_000_000_000);
  const logger = new RecordingLogger();
  const store = await openSqliteStoreWith(
    file,
    { thread: false, clock, logger, ...options },
    { driver, busyTimeoutMs: 10 },
  );
  onTestFinished(() => store.close());
  return { store, file, driver, clock, logger };
}

/** Opens a file with the right to write. */
export async function openedRig(...args: Parameters<typeof openRig>): Promise<SqliteRig> {
  const rig = await openRig(...args);
  await rig.store.open();
  return rig;
}
