import { afterAll, beforeAll, beforeEach, onTestFinished } from "vitest";
import { nextTurn, type StateStore, StoreError } from "../../src/core/internal.ts";
import type { PostgresPool } from "../../src/storage/postgres/driver.ts";
import {
  openPostgresStoreWith,
  type PostgresParts,
  type PostgresStoreOptions,
} from "../../src/storage/postgres/open-postgres-store.ts";
import { committed, putOf } from "../../src/testing/contracts/state-store/store-case.ts";
import { PostgresServer, postgresAbsence } from "./postgres-server.ts";
import { newSchema } from "./postgres-stores.ts";
import { RecordingLogger } from "./recording-logger.ts";

/** A store in PostgreSQL with its parts. */
export interface PostgresRig {
  readonly store: StateStore;
  readonly schema: string;
  readonly logger: RecordingLogger;
}

/** Starts a server for the tests of a file and ends it. The tests skip themselves where there is none. */
export function withServer(use: (server: PostgresServer) => void): void {
  const absence = postgresAbsence();
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    if (absence !== undefined) return;
    server = await PostgresServer.start();
    use(server);
  }, 60_000);
  afterAll(() => server?.[Symbol.asyncDispose]());
  beforeEach((context) => {
    if (absence !== undefined) context.skip(absence);
  });
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

/** Commits until the store has recovered. */
export async function recovers(store: StateStore): Promise<void> {
  const agent = { type: "a", key: "recovered" };
  await until(() =>
    committed(store, putOf("recovered", { agent })).then(
      () => true,
      (error: unknown) => {
        if (error instanceof StoreError) return false;
        throw error;
      },
    ),
  );
}
