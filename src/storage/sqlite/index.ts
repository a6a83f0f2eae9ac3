/**
 * A state store in a SQLite file, which outlives its process. It needs Node 22.13 or newer, or on Node 20 the package
 * `@photostructure/sqlite`.
 *
 * @example
 * ```ts
 * import { openSqliteStore } from "troupe/storage/sqlite";
 *
 * await using store = await openSqliteStore("agents.db");
 * await store.open();
 * ```
 *
 * @packageDocumentation
 */

export type { SqliteStoreOptions } from "./open-sqlite-store.ts";
export { backupSqliteStore, checkSqliteStore, openSqliteStore } from "./open-sqlite-store.ts";
