import { onTestFinished } from "vitest";
import { nextTurn, type StateStore } from "../../src/core/internal.ts";
import type { PostgresPool } from "../../src/storage/postgres/driver.ts";
import {
  openPostgresStoreWith,
  type PostgresParts,
  type PostgresStoreOptions,
} from "../../src/storage/postgres/open-postgres-store.ts";
import { newSchema } from "./postgres-stores.ts";
import { RecordingLogger } from "./recording-logger.ts";

/** A store in PostgreSQL with its parts. */
export interface PostgresRig {
  readonly store: StateStore;
  readonly schema: string;
  readonly logger: RecordingLogger;
}

/** Opens a new schema, or this one, without the right to write. */
export async function openRig(
  urlOrPool: string | PostgresPool,
  options: PostgresStoreOptions = {},
  parts: PostgresParts = {},
): Promise<PostgresRig> {
  const schema = options.schema ?? newSchema();
  const logger = new RecordingLogger();
  const store = await openPostgresStoreWith(urlOrPool, { logger, ...options, schema }, parts);
  onTestFinished(() => store.close());
  return { store, schema, logger };
}

/** Opens a schema with the right to write. */
export async function openedRig(...args: Parameters<typeof openRig>): Promise<PostgresRig> {
  const rig = await openRig(...args);
  await rig.store.open();
  return rig;
}

/** Repeats something until it is true. */
export async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await nextTurn();
}
