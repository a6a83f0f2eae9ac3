import {
  type Commit,
  type CommitOutcome,
  type Epoch,
  judgeCommit,
  limitOver,
  type Mail,
  remindersOver,
  type Settlements,
  type StateWrite,
  type StoredVersion,
  shardOf,
  sortMail,
  storeLimits,
  withLeftMail,
  withoutMail,
} from "../../../core/internal.ts";
import { numberIn } from "../../rows.ts";
import type { Database, Statement } from "../driver.ts";
import { epochIn, textIn, toBlob, toNameBlob } from "./columns.ts";
import type { LogTables } from "./log-tables.ts";
import type { RunTables } from "./run-tables.ts";

/** The name of an agent as it is stored. */
interface Key {
  readonly type: Uint8Array;
  readonly key: Uint8Array;
}

/** Tables in which a commit writes, too. `log`: with the ids that mailboxes know. */
export interface OtherTables {
  readonly log: LogTables;
  readonly runs: RunTables;
}

/** Options of `TableWrites`. */
export interface TableWritesOptions {
  readonly maxValueBytes: number;
  readonly makeETag: () => string;
}

/** Writes to the tables of a state store, inside the transaction of its caller. */
export class TableWrites {
  readonly #maxValueBytes: number;
  readonly #makeETag: () => string;
  readonly #version: Statement;
  readonly #put: Statement;
  readonly #rewrite: Statement;
  readonly #setEpoch: Statement;
  readonly #deletions: readonly Statement[];
  readonly #reminderNames: Statement;
  readonly #setReminder: Statement;
  readonly #cancelReminder: Statement;
  readonly #moveReminder: Statement;
  readonly #endReminder: Statement;
  readonly #keepMail: Statement;
  readonly #postponeMail: Statement;
  readonly #dropMail: Statement;
  readonly #remember: Statement;
  readonly #trimRemembered: Statement;
  readonly #forget: Statement;
  /** Remembered messages that were added since the last time that old ones were forgotten. */
  #newRemembered = 0;

  constructor(database: Database, options: TableWritesOptions) {
    this.#maxValueBytes = options.maxValueBytes;
    this.#makeETag = options.makeETag;
    const ofAgent = "where type = ? and key = ?";
    this.#version = database.prepare(`select etag, revision, generation, era, number from state ${ofAgent}`);
    this.#put = database.prepare(`insert into state(
      type, key, revision, etag, schema_version, content_type, saved_at, generation, era, number, data)
      values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict(type, key) do update set
      revision = excluded.revision, etag = excluded.etag, schema_version = excluded.schema_version,
      content_type = excluded.content_type, saved_at = excluded.saved_at, generation = excluded.generation,
      era = excluded.era, number = excluded.number, data = excluded.data`);
    this.#rewrite = database.prepare(`update state set revision = revision + 1, etag = ?, schema_version = ?,
      content_type = ?, saved_at = ?, data = ? ${ofAgent} and etag = ? and generation = ? and era = ? and number = ?
      returning revision`);
    this.#setEpoch = database.prepare(`update state set generation = ?, era = ?, number = ? ${ofAgent}`);
    this.#deletions = ["state", "reminders", "remembered", "mail"].map((table) =>
      database.prepare(`delete from ${table} ${ofAgent}`),
    );
    this.#reminderNames = database.prepare(`select name from reminders ${ofAgent}`);
    // A replaced row gets another seq, which is never one that was there before.
    this.#setReminder = database.prepare(
      "insert or replace into reminders(type, key, name, shard, due, attempts, rule, message) values(?, ?, ?, ?, ?, 0, ?, ?)",
    );
    this.#cancelReminder = database.prepare(`delete from reminders ${ofAgent} and name = ?`);
    this.#moveReminder =
      database.prepare(`insert or replace into reminders(type, key, name, shard, due, attempts, rule, message)
      select type, key, name, shard, ?, ?, coalesce(?, rule), message from reminders ${ofAgent} and name = ? and seq = ?`);
    this.#endReminder = database.prepare(`delete from reminders ${ofAgent} and name = ? and seq = ?`);
    this.#keepMail = database.prepare(`insert into mail(
      type, key, shard, sender_type, sender_key, id, kind, kept_at, attempts, next_at, frame)
      values(?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`);
    this.#postponeMail = database.prepare("update mail set next_at = ?, attempts = ? where place = ?");
    this.#dropMail = database.prepare("delete from mail where place = ?");
    this.#remember = database.prepare(
      "insert or replace into remembered(type, key, principal, id, at, answer) values(?, ?, ?, ?, ?, ?)",
    );
    this.#trimRemembered =
      database.prepare(`delete from remembered ${ofAgent} and (answer is null) = ? and rowid not in (
      select rowid from remembered ${ofAgent} and (answer is null) = ? order by rowid desc limit ${storeLimits.remembered})`);
    this.#forget = database.prepare(
      "delete from remembered where rowid in (select rowid from remembered where at <= ? limit ?)",
    );
  }

  /** Writes one commit, or says why not. */
  commit(given: Commit, nowMs: number, { log, runs }: OtherTables): CommitOutcome {
    const knownMail = log.knownMail(given, nowMs);
    const commit = withoutMail(given, knownMail);
    const limit = limitOver(commit, this.#maxValueBytes, storeLimits.nameCharacters);
    if (limit !== undefined) return { at: "refused", limit };
    const { agent, write } = commit;
    const key: Key = { type: toNameBlob(agent.type), key: toBlob(agent.key) };
    const rewritten = this.#rewritten(key, commit, nowMs);
    if (rewritten !== undefined) return rewritten;
    const stored = this.#storedVersion(key);
    const refusal = judgeCommit(commit, stored);
    if (refusal !== undefined) return refusal;
    const reminders = commit.reminders.length === 0 ? undefined : remindersOver(commit, this.#namesOf(key));
    if (reminders !== undefined) return { at: "refused", limit: reminders };
    const misfit = commit.runs === undefined ? undefined : runs.judge(commit, key);
    if (misfit?.at === "limit") return { at: "refused", limit: misfit.limit };
    if (misfit !== undefined) return { at: "conflict", eTag: stored?.eTag, run: misfit.run };
    const fit = log.fit(commit.mail);
    if (fit.at === "refused") return fit;
    const { kept, buried, buriedIndexes } = sortMail(given.mail, knownMail, fit.buried);
    if (write.at === "delete") {
      for (const deletion of this.#deletions) deletion.run(key.type, key.key);
      runs.removeAll(key.type, key.key);
    }
    const version = this.#write(key, commit, stored, nowMs);
    this.#writeEffects(key, commit, kept, nowMs);
    if (commit.runs !== undefined) runs.write(commit, nowMs);
    let forgotten = 0;
    for (const mail of buried) forgotten += log.buryFull(mail, nowMs);
    for (const { receiver, id, isOnce } of kept) if (isOnce === true) log.know(receiver, id, nowMs);
    const written = { at: "committed", eTag: version?.eTag ?? "", revision: version?.revision ?? 0 } as const;
    return withLeftMail(written, { known: knownMail, buried: buriedIndexes, forgotten });
  }

  settle({ ticks, mail }: Settlements): void {
    for (const { agent, name, seq, nextDueMs, attempts, rule } of ticks) {
      const tick = [toBlob(agent.type), toBlob(agent.key), toBlob(name), seq] as const;
      if (nextDueMs === undefined) this.#endReminder.run(...tick);
      else this.#moveReminder.run(nextDueMs, attempts, rule === undefined ? null : toBlob(rule), ...tick);
    }
    for (const { place, nextMs, attempts } of mail) {
      if (nextMs === undefined) this.#dropMail.run(place);
      else this.#postponeMail.run(nextMs, attempts, place);
    }
  }

  /** Deletes remembered messages that are too old: two for each one that was added since the last time, and `more`. */
  forget(nowMs: number, more: number): void {
    const most = 2 * this.#newRemembered + more;
    if (most > 0) this.#forget.run(nowMs - storeLimits.rememberedMs, most);
    this.#newRemembered = 0;
  }

  /**
   * Writes the usual commit with one statement, which compares, too: a state alone, over the version that its worker wrote last, under the
   * same epoch. Undefined: the commit is another one, or something else is stored, and nothing is written.
   */
  #rewritten({ type, key }: Key, commit: Commit, nowMs: number) {
    const { epoch, expected, write, reminders, mail, remembered, runs } = commit;
    if (write.at !== "put" || expected.at !== "version" || epoch === undefined) return undefined;
    if (reminders.length > 0 || mail.length > 0 || remembered.length > 0 || runs !== undefined) return undefined;
    // Some drivers cut a text at this character, and SQLite would compare the rest.
    if (expected.eTag.includes("\0")) return undefined;
    const eTag = this.#makeETag();
    const { schemaVersion, contentType, data } = write;
    const { generation, era, number } = epoch;
    const values = [eTag, schemaVersion, toNameBlob(contentType), nowMs, data, type, key, expected.eTag] as const;
    const row = this.#rewrite.get(...values, generation, era, number);
    return row && ({ at: "committed", eTag, revision: numberIn(row, "revision") } as const);
  }

  /** Writes the record; returns the version that is stored then. */
  #write(key: Key, { write, epoch }: Commit, stored: StoredVersion | undefined, nowMs: number) {
    switch (write.at) {
      case "put":
        return this.#putRecord(key, write, stored, epoch ?? stored?.epoch, nowMs);
      case "delete":
        return undefined;
      case "keep":
        if (epoch !== undefined) this.#setEpoch.run(epoch.generation, epoch.era, epoch.number, key.type, key.key);
        return stored;
    }
  }

  #putRecord(
    { type, key }: Key,
    { schemaVersion, contentType, data }: StateWrite & { readonly at: "put" },
    stored: StoredVersion | undefined,
    epoch: Epoch | undefined,
    nowMs: number,
  ) {
    const version = { eTag: this.#makeETag(), revision: (stored?.revision ?? 0) + 1 };
    this.#put.run(
      ...[type, key, version.revision, version.eTag, schemaVersion, toNameBlob(contentType), nowMs],
      ...[epoch?.generation ?? null, epoch?.era ?? null, epoch?.number ?? null, data],
    );
    return version;
  }

  #writeEffects({ type, key }: Key, commit: Commit, mail: readonly Mail[], nowMs: number): void {
    const { agent, reminders, remembered } = commit;
    for (const change of reminders) {
      const name = toBlob(change.name);
      if (change.at === "cancel") this.#cancelReminder.run(type, key, name);
      else this.#setReminder.run(type, key, name, shardOf(agent), change.dueMs, toBlob(change.rule), change.message);
    }
    for (const { id, receiver, kind, frame } of mail) {
      this.#keepMail.run(
        ...[toBlob(receiver.type), toBlob(receiver.key), shardOf(receiver), type, key],
        ...[toBlob(id), kind, nowMs, nowMs, frame],
      );
    }
    this.#newRemembered += remembered.length;
    for (const { id, principal, answer } of remembered) {
      this.#remember.run(type, key, toBlob(principal), toBlob(id), nowMs, answer ?? null);
    }
    for (const isMail of new Set(remembered.map(({ answer }) => (answer === undefined ? 1 : 0)))) {
      this.#trimRemembered.run(type, key, isMail, type, key, isMail);
    }
  }

  #storedVersion({ type, key }: Key): StoredVersion | undefined {
    const row = this.#version.get(type, key);
    return row && { eTag: String(row.etag), revision: numberIn(row, "revision"), epoch: epochIn(row) };
  }

  #namesOf({ type, key }: Key): readonly string[] {
    return this.#reminderNames.all(type, key).map((row) => textIn(row, "name"));
  }
}
