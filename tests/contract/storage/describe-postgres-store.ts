import { afterAll, beforeAll, describe, it } from "vitest";
import { describeStateStore } from "../../../src/testing/contracts/state-store.ts";
import { PostgresServer, postgresAbsence } from "../../support/postgres-server.ts";

type Adapter = Parameters<typeof describeStateStore>[1];

/** The contract of state stores, held against stores at a PostgreSQL server that is started for it. Skips each test where there is no server. */
export function describePostgresStore(name: string, makeAdapter: (running: () => PostgresServer) => Adapter): void {
  const absence = postgresAbsence();
  let server: PostgresServer | undefined;

  beforeAll(async () => {
    if (absence === undefined) server = await PostgresServer.start();
  }, 60_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  const adapter = makeAdapter(() => {
    if (server === undefined) throw new Error("The server has not started.");
    return server;
  });
  describeStateStore(name, adapter, {
    describe,
    it: (title: string, body: () => Promise<void>) =>
      it(title, { timeout: 60_000 }, async (context) => {
        if (absence !== undefined) context.skip(absence);
        await body();
      }),
  });
}
