import {
  type AgentName,
  type DueQuery,
  type LargerState,
  type ListPage,
  type ListQuery,
  listPageOf,
  type MailPageQuery,
  type MailQuery,
  pageOf,
  type RememberedMessage,
  type ReminderQuery,
  type StateRecord,
  type StoredMail,
  type StoredReminder,
  type StoreStats,
  storeLimits,
} from "../../../core/internal.ts";
import { endOf, firstKey, nextAfter } from "../../key-ranges.ts";
import { numberIn } from "../../rows.ts";
import type { Database, Row, Statement } from "../driver.ts";
import {
  bytesIn,
  listedIn,
  mailIn,
  recordColumns,
  recordIn,
  reminderIn,
  textIn,
  toBlob,
  toNameBlob,
} from "./columns.ts";

const noBytes = new Uint8Array(0);
/** Each reminder comes after this one. */
const beforeAll = { dueMs: Number.NEGATIVE_INFINITY, seq: 0 };

/** Reads the tables of a state store. */
export class TableReads {
  readonly #load: Statement;
  readonly #remembered: Statement;
  readonly #listOfType: Statement;
  readonly #listOfAll: Statement;
  readonly #reminderSizes: Statement;
  readonly #remindersUpTo: Statement;
  readonly #dueSizes: Statement;
  readonly #dueUpTo: Statement;
  readonly #sizesInShards: Statement;
  readonly #mailInShards: Statement;
  readonly #mailSizes: Statement;
  readonly #mailUpTo: Statement;
  readonly #mailboxSizes: Statement;
  readonly #mailboxUpTo: Statement;
  readonly #types: Statement;
  readonly #others: Statement;

  constructor(database: Database) {
    const listed = `select ${recordColumns}, length(data) as bytes from state`;
    // One row beyond the bound is read, which says that more follow.
    const page = (rows: string) =>
      `select * from (select *, sum(length(type) + length(key) + length(content_type) + ${storeLimits.listedBytes})
        over (order by type, key rows between unbounded preceding and 1 preceding) as earlier from (${rows}))
      where earlier is null or earlier <= ${storeLimits.pageBytes} order by type, key`;
    // SQLite finds the length of a value without reading it.
    this.#load = database.prepare(
      `select ${recordColumns}, length(data) as bytes, case when etag = ?3 or length(data) > ?4 then null else data end as data
      from state where type = ?1 and key = ?2`,
    );
    this.#remembered = database.prepare(
      "select answer from remembered where type = ? and key = ? and principal = ? and id = ? and at > ?",
    );
    this.#listOfType = database.prepare(page(`${listed} where type = ? and key >= ? and key < ? order by key limit ?`));
    // The part of an empty blob is null.
    this.#listOfAll = database.prepare(
      page(
        `${listed} where (type, key) >= (?1, ?2) and (?3 = 0 or substring(key, 1, ?3) = ?4) order by type, key limit ?5`,
      ),
    );
    // The lengths first: a page is bounded in bytes before its messages are read.
    const ofAgent = "from reminders where type = ? and key = ? and name > ?";
    this.#reminderSizes = database.prepare(`select name, length(message) as bytes ${ofAgent} order by name`);
    this.#remindersUpTo = database.prepare(`select * ${ofAgent} and name <= ? order by name`);
    const due = "from reminders where (due, seq) > (?, ?) and due < ? and (1 << shard) & ?";
    this.#dueSizes = database.prepare(`select due, seq, length(message) as bytes ${due} order by due, seq limit ?`);
    this.#dueUpTo = database.prepare(`select * ${due} and (due, seq) <= (?, ?) order by due, seq`);
    const inShards = "from mail where place > ? and (1 << shard) & ?";
    this.#sizesInShards = database.prepare(`select place, length(frame) as bytes ${inShards} order by place limit ?`);
    this.#mailInShards = database.prepare(`select * ${inShards} and place <= ? order by place`);
    const sizes = "select place, length(frame) as bytes from mail";
    const ofMailbox = "where type = ? and key = ? and place > ?";
    this.#mailSizes = database.prepare(`${sizes} where place > ? order by place limit ?`);
    this.#mailUpTo = database.prepare("select * from mail where place > ? and place <= ? order by place");
    this.#mailboxSizes = database.prepare(`${sizes} ${ofMailbox} order by place limit ?`);
    this.#mailboxUpTo = database.prepare(`select * from mail ${ofMailbox} and place <= ? order by place`);
    this.#types = database.prepare(
      "select type, count(*) as records, sum(length(data)) as bytes from state group by type order by type",
    );
    this.#others = database.prepare(
      "select (select count(*) from reminders) as reminders, (select count(*) from mail) as mail",
    );
  }

  load(
    { type, key }: AgentName,
    { unless, maxBytes }: { readonly unless: string | undefined; readonly maxBytes: number },
  ): StateRecord | LargerState | "unchanged" | undefined {
    const row = this.#load.get(toNameBlob(type), toBlob(key), unless ?? "", maxBytes);
    if (row === undefined) return undefined;
    if (row.etag === unless) return "unchanged";
    if (row.data === null) return { at: "larger", bytes: numberIn(row, "bytes") };
    return { data: bytesIn(row, "data"), ...recordIn(row) };
  }

  remembered({ type, key }: AgentName, id: string, principal: string, nowMs: number): RememberedMessage | undefined {
    const oldestMs = nowMs - storeLimits.rememberedMs;
    const row = this.#remembered.get(toBlob(type), toBlob(key), toBlob(principal), toBlob(id), oldestMs);
    return row && { id, principal, answer: row.answer === null ? undefined : bytesIn(row, "answer") };
  }

  list({ type, keyPrefix = "", after, limit = storeLimits.listed }: ListQuery): ListPage {
    const most = Math.max(1, Math.min(limit, storeLimits.mostListed));
    const prefix = toBlob(keyPrefix);
    const rows =
      type === undefined
        ? this.#ofAll(prefix, after, most + 1)
        : this.#listOfType.all(toBlob(type), firstKey(toBlob(type), prefix, after), endOf(prefix), most + 1);
    return listPageOf(rows.map(listedIn), most);
  }

  reminders({ type, key }: AgentName, { after = "", maxBytes }: ReminderQuery): readonly StoredReminder[] {
    // Each name comes after the empty one, which no reminder has.
    const from = [toBlob(type), toBlob(key), toBlob(after)];
    const last = lastOf(this.#reminderSizes.all(...from), maxBytes);
    return last === undefined ? [] : this.#remindersUpTo.all(...from, bytesIn(last, "name")).map(reminderIn);
  }

  due({ beforeMs, shards, after = beforeAll, limit, maxBytes }: DueQuery): readonly StoredReminder[] {
    const from = [after.dueMs, after.seq, beforeMs, maskOf(shards)];
    const last = lastOf(this.#dueSizes.all(...from, limit), maxBytes);
    if (last === undefined) return [];
    return this.#dueUpTo.all(...from, numberIn(last, "due"), numberIn(last, "seq")).map(reminderIn);
  }

  mail({ shards, after = 0, limit, maxBytes }: MailQuery): readonly StoredMail[] {
    const from = [after, maskOf(shards)];
    const last = lastOf(this.#sizesInShards.all(...from, limit), maxBytes);
    return last === undefined ? [] : this.#mailInShards.all(...from, numberIn(last, "place")).map(mailIn);
  }

  mailPage({ mailbox, after, limit, maxBytes }: MailPageQuery): readonly StoredMail[] {
    const of = mailbox === undefined ? [] : [toBlob(mailbox.type), toBlob(mailbox.key)];
    const sizes = mailbox === undefined ? this.#mailSizes : this.#mailboxSizes;
    const rows = mailbox === undefined ? this.#mailUpTo : this.#mailboxUpTo;
    const last = lastOf(sizes.all(...of, after, limit), maxBytes);
    return last === undefined ? [] : rows.all(...of, after, numberIn(last, "place")).map(mailIn);
  }

  stats(): StoreStats {
    const types = this.#types.all().map((row) => ({
      type: textIn(row, "type"),
      records: numberIn(row, "records"),
      bytes: numberIn(row, "bytes"),
    }));
    const others = this.#others.get() ?? {};
    return {
      records: types.reduce((sum, { records }) => sum + records, 0),
      bytes: types.reduce((sum, { bytes }) => sum + bytes, 0),
      reminders: numberIn(others, "reminders"),
      mail: numberIn(others, "mail"),
      types,
    };
  }

  #ofAll(prefix: Uint8Array, after: AgentName | undefined, limit: number): readonly Row[] {
    const from = after === undefined ? [noBytes, noBytes] : [toBlob(after.type), nextAfter(toBlob(after.key))];
    return this.#listOfAll.all(from[0] ?? noBytes, from[1] ?? noBytes, prefix.length, prefix, limit);
  }
}

/** The last row of a page that is bounded in bytes. */
function lastOf(sizes: readonly Row[], maxBytes: number | undefined): Row | undefined {
  return pageOf(sizes, { bytesOf: (row) => numberIn(row, "bytes"), maxBytes }).at(-1);
}

/** Shards as bits. Undefined: all of them. */
function maskOf(shards: readonly number[] | undefined): number {
  if (shards === undefined) return 2 ** 32 - 1;
  return [...new Set(shards)].reduce((sum, shard) => sum + 2 ** shard, 0);
}
