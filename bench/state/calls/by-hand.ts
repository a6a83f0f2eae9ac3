// Calls by NATS `request()` to a target that keeps its state by hand: `by-hand target ADDRESS kv|pg [URL] | by-hand caller ADDRESS`.
import { JetStreamApiError } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import pg from "pg";
import { endWithBenchmark, runCallRound } from "../../support/call-rounds.ts";
import { commands, tell } from "../../support/peer-commands.ts";
import { openBucket, putUnder } from "../stores/kv-contender.ts";
import { type StateLoad, someAgents } from "./loads.ts";

/** NATS's code for a put under a revision that the key does not have. */
const wrongRevision = 10_071;

interface Counted {
  readonly total: number;
  readonly note: string;
}

const initial: Counted = { total: 0, note: "x".repeat(480) };
const added = ({ total, note }: Counted, value: number): Counted => ({ total: total + value, note });

const [role = "", address = "", kind = "", url = ""] = process.argv.slice(2);
const connection = await connect({ servers: address });
if (role === "target") await serve(kind === "kv" ? await addInBucket(connection) : await addInTable(url));
else await call();

/** Answers each call with the new total when it is written. */
async function serve(add: (key: string, value: number) => Promise<number>): Promise<void> {
  const answer = async (key: string, value: number) => new TextEncoder().encode(String(await add(key, value)));
  connection.subscribe("counter.*", {
    callback: (_error, message) => {
      const key = message.subject.slice("counter.".length);
      void answer(key, Number(message.string())).then((total) => message.respond(total));
    },
  });
  await connection.flush();
  endWithBenchmark();
  tell("ready");
}

/** Reads a value and puts it under its revision; a value that another call has changed meanwhile is read again. */
async function addInBucket(nats: NatsConnection): Promise<(key: string, value: number) => Promise<number>> {
  const bucket = await openBucket(nats);
  return async (key, value) => {
    for (;;) {
      const entry = await bucket.get(key);
      const next = added(entry === null ? initial : entry.json<Counted>(), value);
      try {
        await putUnder(bucket, key, JSON.stringify(next), entry?.revision ?? 0);
        return next.total;
      } catch (error) {
        if (!(error instanceof JetStreamApiError && error.code === wrongRevision)) throw error;
      }
    }
  };
}

/** Reads a row with a lock, and updates it, in one transaction. */
async function addInTable(server: string): Promise<(key: string, value: number) => Promise<number>> {
  const pool = new pg.Pool({ connectionString: server, max: 10 });
  await pool.query("create table state(key text primary key, data jsonb not null) with (fillfactor = 80)");
  const insert = "insert into state values ($1, $2) on conflict do nothing";
  return async (key, value) => {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const select = { name: "select", text: "select data from state where key = $1 for update", values: [key] };
      let { rows } = await client.query<{ data: Counted }>(select);
      if (rows.length === 0) {
        await client.query({ name: "insert", text: insert, values: [key, JSON.stringify(initial)] });
        ({ rows } = await client.query<{ data: Counted }>(select));
      }
      const next = added(rows[0]?.data ?? initial, value);
      const update = "update state set data = $2 where key = $1";
      await client.query({ name: "update", text: update, values: [key, JSON.stringify(next)] });
      await client.query("commit");
      return next.total;
    } finally {
      client.release();
    }
  };
}

async function call(): Promise<never> {
  let calls = 0;
  tell("ready");
  for await (const { seconds, inFlight, recipients } of commands<StateLoad & { readonly seconds: number }>()) {
    const nextKey = () => {
      calls += 1;
      return recipients === "one" ? "one" : recipients === "new" ? `new-${calls}` : String(calls % someAgents);
    };
    const one = () => connection.request(`counter.${nextKey()}`, "1", { timeout: 60_000 });
    tell("round", await runCallRound({ seconds, inFlight }, one));
  }
  process.exit(0);
}
