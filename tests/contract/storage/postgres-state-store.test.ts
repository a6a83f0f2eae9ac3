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

/** Makes the server refuse what is written to the table of states, as when it lacks something. Resolves to what mends it. */
async function refusing(schema: string, sqlState: string): Promise<() => Promise<void>> {
  await running().run(`
    create function ${schema}.refuse() returns trigger language plpgsql as $$ begin
      raise exception using errcode = '${sqlState}', message = 'made up';
    end $$;
    create trigger refuses before insert or update on ${schema}.state for each row execute function ${schema}.refuse();`);
  return async () => void (await running().run(`drop trigger refuses on ${schema}.state`));
}

const one = new PostgresStores(() => running().url());
describeStateStore(
  "PostgreSQL, one writer",
  one.adapter({
    full: (store) => refusing(one.schemaOf(store), "53100"),
    unavailable: (store) => refusing(one.schemaOf(store), "53200"),
    corrupt: async (store) => {
      await running().run(`drop table ${one.schemaOf(store)}.state`);
      return () => undefined;
    },
  }),
  runner,
);

const many = new PostgresStores(() => running().url(), { writers: "many" });
describeStateStore("PostgreSQL, many writers", many.adapter(), runner);
