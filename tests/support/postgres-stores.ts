import type { Clock, MailBoundOptions, StateStore } from "../../src/core/internal.ts";
import {
  openPostgresStoreWith,
  type PostgresParts,
  type PostgresStoreOptions,
} from "../../src/storage/postgres/open-postgres-store.ts";
import type { StateStoreAdapter } from "../../src/testing/contracts/state-store.ts";

let lastSchema = 0;

/** A name of a schema that no test has used. */
export function newSchema(): string {
  lastSchema += 1;
  return `test_${lastSchema}`;
}

/** Stores in new schemas, for the contract suite. */
export class PostgresStores {
  readonly #url: () => string;
  readonly #options: PostgresStoreOptions;
  readonly #parts: PostgresParts;
  readonly #schemas = new WeakMap<StateStore, string>();

  constructor(url: () => string, options: PostgresStoreOptions = {}, parts: PostgresParts = {}) {
    this.#url = url;
    this.#options = options;
    this.#parts = parts;
  }

  schemaOf(store: StateStore): string {
    const schema = this.#schemas.get(store);
    if (schema === undefined) throw new Error("It is another store.");
    return schema;
  }

  async open(schema: string, clock: Clock, mail: MailBoundOptions = {}): Promise<StateStore> {
    const store = await openPostgresStoreWith(this.#url(), { ...this.#options, ...mail, schema, clock }, this.#parts);
    this.#schemas.set(store, schema);
    return store;
  }

  adapter(faults?: StateStoreAdapter["faults"]): StateStoreAdapter {
    return {
      create: ({ clock, mail }) => this.open(newSchema(), clock, mail),
      reopen: (store, { clock, mail }) => this.open(this.schemaOf(store), clock, mail),
      faults,
    };
  }
}
