import { loggableText, mailSize, StoreError } from "../../../core/internal.ts";
import type { Database } from "../driver.ts";

/** "TRUP": marks a file as a state store of Troupe. */
const applicationId = 0x54525550;

// No `without rowid`: with it, writes took two to four times as long. Names and other texts of users are UTF-8 in blobs.
const tables = `
create table meta(name text primary key, value any);
create table state(
  type blob not null, key blob not null, revision integer not null, etag text not null, schema_version integer not null,
  content_type blob not null, saved_at integer not null, generation integer, era integer, number integer, data blob not null,
  primary key(type, key));
create table remembered(
  type blob not null, key blob not null, principal blob not null, id blob not null, at integer not null, answer blob,
  primary key(type, key, principal, id));
create index remembered_at on remembered(at);
create table reminders(
  seq integer primary key autoincrement, type blob not null, key blob not null, name blob not null, shard integer not null,
  due integer not null, attempts integer not null, rule blob not null, message blob not null, unique(type, key, name));
create index reminders_due on reminders(due);
create table mail(
  place integer primary key autoincrement, type blob not null, key blob not null, shard integer not null,
  sender_type blob not null, sender_key blob not null, id blob not null, kind text not null, kept_at integer not null,
  attempts integer not null, next_at integer not null, frame blob not null);
create index mail_receiver on mail(type, key);
`;

/** Version 2: the log of mailboxes. */
const logTables = `
create table mail_ids(type blob not null, key blob not null, id blob not null, at integer not null, primary key(type, key, id));
create index mail_ids_at on mail_ids(at);
create table dead(
  letter integer primary key autoincrement, type blob not null, key blob not null, id blob not null, kind text not null,
  sent_at integer not null, place integer not null, code text not null, reason blob not null, attempts integer not null,
  died_at integer not null, frame blob not null);
create index dead_mailbox on dead(type, key);
create index dead_died_at on dead(died_at);
`;

/** The sizes of mailboxes, of the mail of agent types and of all mail. `recountMail` fills the tables. */
const sizeTables = `
create table mailbox_sizes(type blob not null, key blob not null, messages integer not null, bytes integer not null, primary key(type, key));
create table mail_type_sizes(type blob primary key not null, bytes integer not null);
create table mail_size(only_row integer primary key check (only_row = 1), bytes integer not null);
create trigger mail_added after insert on mail begin
  insert into mailbox_sizes(type, key, messages, bytes) values(new.type, new.key, 1, length(new.frame) + ${mailSize(0)})
    on conflict(type, key) do update set messages = messages + 1, bytes = bytes + excluded.bytes;
  insert into mail_type_sizes(type, bytes) values(new.type, length(new.frame) + ${mailSize(0)})
    on conflict(type) do update set bytes = bytes + excluded.bytes;
  update mail_size set bytes = bytes + length(new.frame) + ${mailSize(0)};
end;
create trigger mail_removed after delete on mail begin
  update mailbox_sizes set messages = messages - 1, bytes = bytes - length(old.frame) - ${mailSize(0)}
    where type = old.type and key = old.key;
  delete from mailbox_sizes where type = old.type and key = old.key and messages <= 0;
  update mail_type_sizes set bytes = bytes - length(old.frame) - ${mailSize(0)} where type = old.type;
  delete from mail_type_sizes where type = old.type and bytes <= 0;
  update mail_size set bytes = bytes - length(old.frame) - ${mailSize(0)};
end;
`;

/** Version 4: the runs of agents and their chunks. */
const runTables = `
create table runs(
  run integer primary key autoincrement, type blob not null, key blob not null, id blob not null, status text not null,
  principal blob not null, owner blob not null, depth integer not null, started_at integer not null, deadline integer,
  keep_ms integer not null, updated_at integer not null, ends_at integer, first integer not null, next integer not null,
  bytes integer not null, takeovers integer not null, message blob not null, outcome blob, unique(type, key, id));
create index runs_ends_at on runs(ends_at) where ends_at is not null;
create table run_chunks(run integer not null, place integer not null, data blob not null, primary key(run, place));
create trigger run_removed after delete on runs begin
  delete from run_chunks where run = old.run;
end;
`;

/** Counts the mail anew. */
export const recountMail = `
delete from mailbox_sizes;
delete from mail_type_sizes;
insert into mailbox_sizes(type, key, messages, bytes)
  select type, key, count(*), sum(length(frame) + ${mailSize(0)}) from mail group by type, key;
insert into mail_type_sizes(type, bytes) select type, sum(bytes) from mailbox_sizes group by type;
insert or replace into mail_size(only_row, bytes) select 1, coalesce(sum(bytes), 0) from mailbox_sizes;
`;

/** Whether the sizes agree with each other and with the number of messages. It reads no message, since there may be a million. */
export const sizesAgree = `
select (select count(*) from mail) = (select coalesce(sum(messages), 0) from mailbox_sizes)
  and (select bytes from mail_size) = (select coalesce(sum(bytes), 0) from mailbox_sizes)
  and (select bytes from mail_size) = (select coalesce(sum(bytes), 0) from mail_type_sizes) as agree`;

/** Each step leads to the next version of the schema; none is ever changed. */
const steps: readonly string[] = [tables, logTables, `${sizeTables}${recountMail}`, runTables];

/** The first version that has the tables of the log. */
export const logSince = 2;

/** The first version that counts the bytes of mail. */
export const sizesSince = 3;

/** The first version that keeps runs. */
export const runsSince = 4;

/** The version of the schema that this code knows. */
export const schemaVersion = steps.length;

/** Reads the version of a database's schema; 0: it is empty. Throws for another program's file, and for a newer version. */
export function readSchemaVersion(database: Database, file: string): number {
  const id = pragma(database, "application_id");
  const version = pragma(database, "user_version");
  const isEmpty = database.prepare("select count(*) as n from sqlite_schema").get()?.n === 0;
  if (isEmpty && id === 0) return 0;
  if (id !== applicationId) {
    throw new StoreError("corrupt", `${loggableText(file)} is not a state store of Troupe. Name another file.`);
  }
  if (version > schemaVersion) {
    const versions = `its schema has version ${version}, and this program knows versions up to ${schemaVersion}`;
    throw new StoreError(
      "unavailable",
      `A newer version of Troupe has written the state store ${loggableText(file)}: ${versions}. Upgrade this program.`,
    );
  }
  return version;
}

/** Brings a database to the newest schema, each step in a transaction of its own. */
export function migrate(database: Database, file: string): void {
  for (;;) {
    database.exec("begin immediate");
    try {
      const version = readSchemaVersion(database, file);
      const step = steps[version];
      if (step !== undefined) {
        database.exec(`${step}; pragma application_id = ${applicationId}; pragma user_version = ${version + 1};`);
      }
      database.exec("commit");
      if (step === undefined) return;
    } catch (error) {
      database.exec("rollback");
      throw error;
    }
  }
}

function pragma(database: Database, name: string): number {
  return Number(Object.values(database.prepare(`pragma ${name}`).get() ?? {})[0]);
}
