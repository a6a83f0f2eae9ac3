import { StoreError } from "../../core/internal.ts";
import type { Session } from "./connections.ts";
import { runTablesOf } from "./run-functions.ts";
import { countMailOf, recountMailOf, sizeTablesOf } from "./size-functions.ts";
import { functionsOf } from "./write-function.ts";

/** Bytes of a type and a key together, up to which an index of PostgreSQL takes them. A row of an index has at most 2,704. */
export const indexedNameBytes = 2_000;

// Names and other texts of users are UTF-8 in `bytea`: a text of PostgreSQL can't hold NUL, and `bytea` is sorted by its bytes.
// Times are the store's own clock, in milliseconds since 1970. Pages keep space, so that an update finds it beside the old row.
const tablesOf = (s: string): string => `
create table ${s}.meta(
  only_row boolean primary key default true check (only_row), schema_version integer not null, writers text,
  incarnation bigint not null default 0, fence bigint not null default 0, newest_generation bigint not null default 0,
  holder text, created_at timestamptz not null default now());
insert into ${s}.meta(schema_version) values (0);
create sequence ${s}.seq;
create sequence ${s}.place;
create table ${s}.state(
  agent bytea primary key, type bytea not null, key bytea not null, revision bigint not null, etag text collate "C" not null,
  schema_version bigint not null, content_type bytea not null, saved_at bigint not null, generation bigint, era bigint,
  number bigint, data bytea not null) with (fillfactor = 80);
create index state_names on ${s}.state(type, key) where octet_length(type) + octet_length(key) <= ${indexedNameBytes};
create index state_long_names on ${s}.state(agent) where octet_length(type) + octet_length(key) > ${indexedNameBytes};
create table ${s}.deleted(
  agent bytea primary key, generation bigint not null, era bigint not null, number bigint not null, deleted_at bigint not null);
create index deleted_at on ${s}.deleted(deleted_at);
create table ${s}.remembered(
  agent bytea not null, message bytea not null, seq bigint not null, at bigint not null, answer bytea,
  primary key(agent, message)) with (fillfactor = 80);
create index remembered_at on ${s}.remembered(at);
create table ${s}.reminders(
  agent bytea not null, name bytea not null, seq bigint not null, type bytea not null, key bytea not null, shard smallint not null,
  due bigint not null, attempts bigint not null, rule bytea not null, message bytea not null, primary key(agent, name));
create index reminders_due on ${s}.reminders(due, seq);
create table ${s}.mail(
  place bigint primary key, receiver bytea not null, type bytea not null, key bytea not null, shard smallint not null,
  sender_type bytea not null, sender_key bytea not null, id bytea not null, kind text not null, kept_at bigint not null,
  attempts bigint not null, next_at bigint not null, frame bytea not null);
create index mail_receiver on ${s}.mail(receiver);
`;

// `message` is the id that `idOfMail` makes, since an index does not take a long text.
const logTablesOf = (s: string): string => `
drop index ${s}.mail_receiver;
create index mail_mailbox on ${s}.mail(receiver, place);
create table ${s}.mail_ids(message bytea primary key, at bigint not null);
create index mail_ids_at on ${s}.mail_ids(at);
create table ${s}.dead(
  letter bigint primary key, receiver bytea not null, type bytea not null, key bytea not null, shard smallint not null, id bytea not null,
  kind text not null, sent_at bigint not null, place bigint not null, code text not null, reason bytea not null, attempts bigint not null,
  died_at bigint not null, frame bytea not null);
create index dead_mailbox on ${s}.dead(receiver, letter);
create index dead_died_at on ${s}.dead(died_at);
`;

/** Makes the next version of a schema, whose quoted name it gets. */
export type SchemaStep = (schema: string) => string;

/** Tables of a step never change. Functions hold nothing, so that each step makes those of the newest version. */
export const schemaSteps: readonly SchemaStep[] = [
  (s) => `${tablesOf(s)}${functionsOf(s)}`,
  (s) => `${logTablesOf(s)}${functionsOf(s)}`,
  // Dead letters are bounded in bytes.
  (s) => functionsOf(s),
  // Ids of messages that were kept while the clock was ahead are forgotten. Mailboxes know the ids of mail that commits bring.
  (s) => functionsOf(s),
  // A commit without effects fences an agent that has no record. Openings of many writers are no generations.
  (s) => functionsOf(s),
  // Mail is bounded in bytes.
  (s) => `${sizeTablesOf(s)}${functionsOf(s)}drop function if exists ${s}.mailbox_size;${countMailOf(s)}`,
  // No bound of mail counts the marks of deleted agents. Commits do not take ids for known that were kept while the clock was ahead.
  (s) => `${functionsOf(s)}${recountMailOf(s)}`,
  // Agents have runs.
  (s) => `${runTablesOf(s)}${functionsOf(s)}`,
];

/** A schema, and the steps to its versions. */
export interface SchemaPlace {
  readonly schema: string;
  /** The schema as SQL names it. */
  readonly quoted: string;
  readonly lockKey: string;
  readonly steps: readonly SchemaStep[];
}

/** Quotes a name for SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Reads the version of a schema; 0: it has no tables of a store. Throws for a version that this program does not know. */
export async function readSchemaVersion(session: Session, { schema, quoted, steps }: SchemaPlace): Promise<number> {
  // `to_regclass` may remember, until the end of its transaction, that there is none.
  const text = `select count(*) as count from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = 'meta'`;
  const [found] = await session.query({ text, values: [schema] });
  if (found?.count !== "1") return 0;
  const [row] = await session.query({ text: `select schema_version from ${quoted}.meta`, values: [] });
  const version = Number(row?.schema_version);
  if (version <= steps.length) return version;
  const versions = `it has version ${version}, and this program knows versions up to ${steps.length}`;
  throw new StoreError(
    "unavailable",
    `A newer version of Troupe has written the schema "${schema}": ${versions}. Upgrade this program.`,
  );
}

/** Brings a schema to the newest version, each step in a transaction of its own. */
export async function migrate(session: Session, place: SchemaPlace): Promise<void> {
  const { quoted, lockKey, steps } = place;
  for (;;) {
    await session.query({ text: "begin isolation level read committed", values: [] });
    try {
      await session.query({ text: "select pg_advisory_xact_lock($1)", values: [lockKey] });
      const version = await readSchemaVersion(session, place);
      const step = steps[version];
      if (step !== undefined) {
        // `create schema if not exists` needs the right to make schemas also for one that is there.
        const found = await session.query({
          text: "select from pg_catalog.pg_namespace where nspname = $1",
          values: [place.schema],
        });
        if (found.length === 0) await session.query({ text: `create schema ${quoted}`, values: [] });
        await session.script(`${step(quoted)}; update ${quoted}.meta set schema_version = ${version + 1}`);
      }
      await session.query({ text: "commit", values: [] });
      if (step === undefined) return;
    } catch (error) {
      await session.query({ text: "rollback", values: [] }).catch(() => undefined);
      throw error;
    }
  }
}

/** The error for a schema that is not there or of an older version, if this program may not change it. */
export function noSchemaError(schema: string, version: number): StoreError {
  const state =
    version === 0 ? `There is no state store in the schema "${schema}".` : `The schema "${schema}" is older.`;
  return new StoreError("unavailable", `${state} Open it once with createsSchema, as a role that may make it.`);
}
