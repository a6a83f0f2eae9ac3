/**
 * A state store in a PostgreSQL database, for a host that may move between machines, and for several hosts. It needs the package `pg`.
 *
 * @example
 * ```ts
 * import { openPostgresStore } from "troupe/storage/postgres";
 *
 * await using store = await openPostgresStore("postgres://troupe@localhost:5432/agents");
 * await store.open();
 * ```
 *
 * @packageDocumentation
 */

export type { PostgresClient, PostgresPool, PostgresQuery } from "./driver.ts";
export type { PostgresStoreOptions } from "./open-postgres-store.ts";
export { openPostgresStore } from "./open-postgres-store.ts";
