import {
  type AgentName,
  type DueQuery,
  type LargerState,
  type ListPage,
  type ListQuery,
  listPageOf,
  type MailQuery,
  type RememberedMessage,
  type ReminderQuery,
  type StateRecord,
  type StoredMail,
  type StoredReminder,
  type StoreStats,
  storeLimits,
} from "../../core/internal.ts";
import { endOf, firstKey, nextAfter } from "../key-ranges.ts";
import { createRowReaders, numberIn } from "../rows.ts";
import { idOfAgent, idOfMessage } from "./agent-id.ts";
import type { Row, Statement } from "./connections.ts";
import { toWhole } from "./encode-writes.ts";
import { pageText } from "./page-text.ts";
import { indexedNameBytes } from "./schema.ts";

/** Asks for something that is stored, and reads the answer. */
export interface Read<T> {
  readonly statement: Statement;
  readonly read: (rows: readonly Row[]) => T;
}

/** Bytes as hex, whatever the server's bytea_output is. */
export const hex = (...columns: readonly string[]): string =>
  columns.map((column) => `encode(${column}, 'hex') as ${column}`).join(", ");

const recordColumns = `etag, revision, schema_version, ${hex("content_type")}, saved_at, generation, era, number`;
const reminderColumns = `${hex("type", "key", "name", "rule", "message")}, due, seq, attempts`;
/** The columns of kept mail. */
export const mailColumns = `place, ${hex("type", "key", "sender_type", "sender_key", "id", "frame")}, kind, kept_at, attempts, next_at`;
const noBytes = Buffer.alloc(0);
/** No value of PostgreSQL is longer. */
const mostBytes = 2 ** 31 - 1;
/** Each reminder comes after this one. */
const beforeAll = { dueMs: Number.NEGATIVE_INFINITY, seq: 0 };

/** Reads the tables of a state store. */
export class TableReads {
  readonly #schema: string;

  constructor(quotedSchema: string) {
    this.#schema = quotedSchema;
  }

  load(agent: AgentName, unless: string | undefined): Read<StateRecord | "unchanged" | undefined> {
    // A text from outside may hold NUL, which PostgreSQL does not take; no eTag has one.
    const known = unless?.includes("\0") ? "" : (unless ?? "");
    const text = `select ${recordColumns}, case when etag = $2 then null else encode(data, 'hex') end as data
      from ${this.#schema}.state where agent = decode($1, 'hex')`;
    return {
      statement: { text, values: [idOfAgent(agent), known], name: this.#name("load") },
      read: ([row]) => {
        if (row === undefined) return undefined;
        if (row.etag === unless) return "unchanged";
        return { data: bytesIn(row, "data"), ...recordIn(row) };
      },
    };
  }

  loadUpTo(
    maxBytes: number,
    agent: AgentName,
    unless: string | undefined,
  ): Read<StateRecord | LargerState | "unchanged" | undefined> {
    const known = unless?.includes("\0") ? "" : (unless ?? "");
    // The size of a value that PostgreSQL keeps apart stands beside its row: the value itself is not read.
    const text = `select ${recordColumns}, octet_length(data) as bytes,
        case when etag = $2 or octet_length(data) > $3 then null else encode(data, 'hex') end as data
      from ${this.#schema}.state where agent = decode($1, 'hex')`;
    return {
      statement: {
        text,
        values: [idOfAgent(agent), known, toWhole(Math.min(maxBytes, mostBytes))],
        name: this.#name("load-up-to"),
      },
      read: ([row]) => {
        if (row === undefined) return undefined;
        if (row.etag === unless) return "unchanged";
        if (row.data === null) return { at: "larger", bytes: numberIn(row, "bytes") };
        return { data: bytesIn(row, "data"), ...recordIn(row) };
      },
    };
  }

  remembered(agent: AgentName, id: string, principal: string, nowMs: number): Read<RememberedMessage | undefined> {
    const text = `select ${hex("answer")} from ${this.#schema}.remembered
      where agent = decode($1, 'hex') and message = decode($2, 'hex') and at > $3`;
    const values = [idOfAgent(agent), idOfMessage(principal, id), toWhole(nowMs) - storeLimits.rememberedMs];
    return {
      statement: { text, values, name: this.#name("remembered") },
      read: ([row]) => row && { id, principal, answer: row.answer === null ? undefined : bytesIn(row, "answer") },
    };
  }

  list({ type, keyPrefix = "", after, limit = storeLimits.listed }: ListQuery): Read<ListPage> {
    const most = Math.max(1, Math.min(limit, storeLimits.mostListed));
    const prefix = Buffer.from(keyPrefix);
    const ofType = type === undefined ? undefined : Buffer.from(type);
    const filter =
      ofType === undefined
        ? "(type, key) >= ($2, $3) and substr(key, 1, length($4::bytea)) = $4"
        : "type = $2 and key >= $3 and key < $4";
    const values =
      ofType === undefined
        ? [...this.#firstName(after), prefix]
        : [ofType, firstKey(ofType, prefix, after), endOf(prefix)];
    const from = `from ${this.#schema}.state where ${filter}`;
    const part = (size: string): string =>
      `(select type, key, ${recordColumns}, octet_length(data) as bytes ${from}
        and octet_length(type) + octet_length(key) ${size} ${indexedNameBytes} order by type, key limit $1)`;
    // Names too long for the index are few, and sorted by themselves.
    const rows = `select * from (${part("<=")} union all ${part(">")}) as parts order by type, key limit $1`;
    // One row beyond the bound is read, which says that more follow. Content types are hex here.
    const size = `octet_length(type) + octet_length(key) + octet_length(content_type) / 2 + ${storeLimits.listedBytes}`;
    const text = `select ${hex("type", "key")}, etag, revision, schema_version, content_type, saved_at, generation, era, number, bytes
      from (select *, sum(${size}) over (order by type, key rows between unbounded preceding and 1 preceding) as earlier
        from (${rows}) as first) as page
      where earlier is null or earlier <= ${storeLimits.pageBytes} order by page.type, page.key`;
    return {
      statement: { text, values: [most + 1, ...values] },
      read: (found) => listPageOf(found.map(listedIn), most),
    };
  }

  reminders(agent: AgentName, { after, maxBytes }: ReminderQuery): Read<readonly StoredReminder[]> {
    // The name is read as hex under its own name, by which the outer query would sort.
    const rows = `select *, name as in_order from ${this.#schema}.reminders
      where agent = decode($1, 'hex') and ($2::bytea is null or name > $2)`;
    const page = { by: "in_order", bytes: "message", limit: "all", maxBytes: "$3" };
    const text = pageText({ columns: reminderColumns, rows, ...page });
    const values = [idOfAgent(agent), after === undefined ? null : Buffer.from(after), bytesOfPage(maxBytes)];
    return { statement: { text, values }, read: (found) => found.map(reminderIn) };
  }

  due({ beforeMs, shards, after = beforeAll, limit, maxBytes }: DueQuery): Read<readonly StoredReminder[]> {
    const rows = `select * from ${this.#schema}.reminders where (due, seq) > ($4, $5) and due < $1
      and ($2::integer[] is null or shard = any($2))`;
    const page = { by: "due, seq", bytes: "message", limit: "$3", maxBytes: "$6" };
    const text = pageText({ columns: reminderColumns, rows, ...page });
    const from = [toWhole(after.dueMs), toWhole(after.seq)];
    const most = [toWhole(beforeMs), shards ? [...shards] : null, toWhole(limit)];
    return {
      statement: { text, values: [...most, ...from, bytesOfPage(maxBytes)] },
      read: (found) => found.map(reminderIn),
    };
  }

  mail({ shards, after = 0, limit, maxBytes }: MailQuery): Read<readonly StoredMail[]> {
    const rows = `select * from ${this.#schema}.mail where place > $1 and ($2::integer[] is null or shard = any($2))`;
    const page = { by: "place", bytes: "frame", limit: "$3", maxBytes: "$4" };
    const text = pageText({ columns: mailColumns, rows, ...page });
    const values = [toWhole(after), shards ? [...shards] : null, toWhole(limit), bytesOfPage(maxBytes)];
    return { statement: { text, values }, read: (found) => found.map(mailIn) };
  }

  stats(): Read<StoreStats> {
    const s = this.#schema;
    const text = `select encode(t.type, 'hex') as type, t.records, t.bytes, (select count(*) from ${s}.reminders) as reminders,
        (select count(*) from ${s}.mail) as mail
      from (select true) as always left join (
        select type, count(*) as records, sum(octet_length(data)) as bytes from ${s}.state group by type) as t on true
      order by t.type`;
    return { statement: { text, values: [] }, read: statsIn };
  }

  #firstName(after: AgentName | undefined): readonly Uint8Array[] {
    return after === undefined
      ? [noBytes, noBytes]
      : [Buffer.from(after.type), Buffer.from(nextAfter(Buffer.from(after.key)))];
  }

  #name(use: string): string {
    return `troupe ${use} ${this.#schema}`.slice(0, 60);
  }
}

function bytesOfPage(maxBytes: number = storeLimits.pageBytes): number {
  return toWhole(maxBytes);
}

export function bytesIn(row: Row, column: string): Uint8Array {
  return new Uint8Array(Buffer.from(row[column] ?? "", "hex"));
}

export function textIn(row: Row, column: string): string {
  return Buffer.from(row[column] ?? "", "hex").toString();
}

export const { nameIn, recordIn, listedIn, reminderIn, mailIn, letterIn, runIn } = createRowReaders<Row>({
  bytesIn,
  textIn,
});

function statsIn(rows: readonly Row[]): StoreStats {
  const types = rows
    .filter(({ records }) => records !== null)
    .map((row) => ({ type: textIn(row, "type"), records: numberIn(row, "records"), bytes: numberIn(row, "bytes") }));
  const [first = {}] = rows;
  return {
    records: types.reduce((sum, { records }) => sum + records, 0),
    bytes: types.reduce((sum, { bytes }) => sum + bytes, 0),
    reminders: numberIn(first, "reminders"),
    mail: numberIn(first, "mail"),
    types,
  };
}
