import { PostgresStores } from "../../support/postgres-stores.ts";
import { describePostgresStore } from "./describe-postgres-store.ts";

describePostgresStore("PostgreSQL, many writers", (running) =>
  new PostgresStores(() => running().url(), { writers: "many" }).adapter(),
);
