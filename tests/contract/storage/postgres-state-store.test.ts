import { PostgresStores } from "../../support/postgres-stores.ts";
import { describePostgresStore } from "./describe-postgres-store.ts";

describePostgresStore("PostgreSQL, one writer", (running) => {
  /** Makes the server refuse what is written to the table of states, as when it lacks something. Resolves to what mends it. */
  async function refusing(schema: string, sqlState: string): Promise<() => Promise<void>> {
    await running().run(`
      create function ${schema}.refuse() returns trigger language plpgsql as $$ begin
        raise exception using errcode = '${sqlState}', message = 'made up';
      end $$;
      create trigger refuses before insert or update on ${schema}.state for each row execute function ${schema}.refuse();`);
    return async () => void (await running().run(`drop trigger refuses on ${schema}.state`));
  }

  const stores = new PostgresStores(() => running().url());
  return stores.adapter({
    full: (store) => refusing(stores.schemaOf(store), "53100"),
    unavailable: (store) => refusing(stores.schemaOf(store), "53200"),
    corrupt: async (store) => {
      await running().run(`drop table ${stores.schemaOf(store)}.state`);
      return () => undefined;
    },
  });
});
