import { afterAll, beforeAll, describe, it } from "vitest";
import { describeStateStore } from "../../../src/testing/contracts/state-store.ts";
import { PostgresServer, postgresAbsence } from "../../support/postgres-server.ts";
import { PostgresStores } from "../../support/postgres-stores.ts";

const absence = postgresAbsence();
let server: PostgresServer | undefined;

beforeAll(async () => {
  if (absence === undefined) server = await PostgresServer.start();
}, 60_000);
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

function running(): PostgresServer {
  if (server === undefined) throw new Error("The server has not started.");
  return server;
}

/** Skips each test where there is no server. */
const runner = {
  describe,
  it: (name: string, body: () => Promise<void>) =>
    it(name, { timeout: 60_000 }, async (context) => {
      if (absence !== undefined) context.skip(absence);
      await body();
    }),
};

const one = new PostgresStores(() => running().url());
describeStateStore(
  "PostgreSQL, one writer",
  one.adapter({
    corrupt: async (store) => {
      await running().run(`drop table ${one.schemaOf(store)}.state`);
      return () => undefined;
    },
  }),
  runner,
);

const many = new PostgresStores(() => running().url(), { writers: "many" });
describeStateStore("PostgreSQL, many writers", many.adapter(), runner);
