import pg from "pg";
import type { StateStore } from "troupe/storage";
import { openPostgresStore } from "troupe/storage/postgres";
import { MeasuredPostgres, postgresAbsence } from "../../peers/postgres-server.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { measureSavers, type Saver, type StoreLoad, saverOf } from "./savers.ts";

/** The store in PostgreSQL, on a server of its own. */
export class PostgresContender implements Contender<StoreLoad> {
  readonly name = "PostgreSQL";
  readonly absent = postgresAbsence();
  #server: MeasuredPostgres | undefined;
  #store: StateStore | undefined;

  async start(): Promise<void> {
    this.#server = await MeasuredPostgres.start();
    this.#store = await openPostgresStore(this.#server.url);
    await this.#store.open();
  }

  measure({ savers }: StoreLoad, seconds: number): Promise<Round> {
    const store = this.#store;
    if (store === undefined) throw new Error("It is not started.");
    return measureSavers(savers, seconds, (key) => saverOf(store, key));
  }

  async stop(): Promise<void> {
    await this.#store?.close();
    await this.#server?.stop();
  }
}

/** Saves as a program does by hand with the package `pg`: each is a transaction that locks its row, compares, and updates. */
export class PlainPgContender implements Contender<StoreLoad> {
  readonly name = "pg by hand: SELECT … FOR UPDATE, UPDATE";
  readonly absent = postgresAbsence();
  #server: MeasuredPostgres | undefined;
  #pool: pg.Pool | undefined;

  async start(): Promise<void> {
    this.#server = await MeasuredPostgres.start();
    this.#pool = new pg.Pool({ connectionString: this.#server.url, max: 10 });
    const columns = "type text, key text, revision bigint not null, data bytea not null, primary key(type, key)";
    await this.#pool.query(`create table state(${columns}) with (fillfactor = 80)`);
  }

  measure({ savers }: StoreLoad, seconds: number): Promise<Round> {
    const pool = this.#pool;
    if (pool === undefined) throw new Error("It is not started.");
    return measureSavers(savers, seconds, (key) => saverByHand(pool, key));
  }

  async stop(): Promise<void> {
    await this.#pool?.end();
    await this.#server?.stop();
  }
}

async function saverByHand(pool: pg.Pool, key: string): Promise<Saver> {
  const insert = "insert into state values ('counter', $1, 0, $2) on conflict do nothing";
  await pool.query(insert, [key, Buffer.alloc(0)]);
  const read = await pool.query("select revision from state where type = 'counter' and key = $1", [key]);
  let revision = Number(read.rows[0]?.revision);
  return async () => {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const select = "select revision from state where type = 'counter' and key = $1 for update";
      const { rows } = await client.query({ name: "select", text: select, values: [key] });
      if (Number(rows[0]?.revision) !== revision) throw new Error("The record has another revision.");
      const update = "update state set revision = revision + 1, data = $2 where type = 'counter' and key = $1";
      await client.query({ name: "update", text: update, values: [key, Buffer.alloc(512)] });
      await client.query("commit");
      revision += 1;
    } finally {
      client.release();
    }
  };
}
