import {
  type AgentName,
  type AppendOutcome,
  type Commit,
  type DeadPage,
  type DeadQuery,
  type DeadReason,
  type DurableMessage,
  type FittingStore,
  type FullMail,
  fairLevel,
  fitMail,
  fullMail,
  fullReason,
  type KeptMessage,
  letterSize,
  type Mail,
  type MailBounds,
  type MailFit,
  type MailSizes,
  mailSize,
  shardOf,
  storeLimits,
} from "../../../core/internal.ts";
import { numberIn } from "../../rows.ts";
import type { Database, Row, Statement } from "../driver.ts";
import { letterIn, toBlob } from "./columns.ts";

/** Bytes of dead letters after which their bound is looked at again. */
const sweepBytes = storeLimits.deadLettersBytes / 16;

/** The mailboxes of a store as a log: its mail, the ids that mailboxes know, and dead letters. Writes are inside a transaction of the caller. */
export class LogTables {
  readonly #database: Database;
  readonly #bounds: MailBounds;
  readonly #fitting: FittingStore;
  readonly #knowsId: Statement;
  readonly #addId: Statement;
  /** Made on first use: a file of an older version that is only read has no sizes. */
  #sizes: Statement | undefined;
  readonly #keep: Statement;
  readonly #dropMail: Statement;
  readonly #bury: Statement;
  readonly #letter: Statement;
  readonly #letterSizes: Statement;
  readonly #letterSizesOf: Statement;
  readonly #dropLetter: Statement;
  readonly #forgetIds: Statement;
  readonly #forgetOldestIds: Statement;
  readonly #forgetLetters: Statement;
  readonly #bytesOfTypes: Statement;
  readonly #forgetBeyond: Statement;
  /** Bytes of the letters that were added since the bound was looked at. */
  #unswept = Number.POSITIVE_INFINITY;
  /** Rows that were added since the last time that old ones were forgotten. */
  #newIds = 0;
  #newLetters = 0;

  constructor(database: Database, bounds: MailBounds) {
    this.#database = database;
    this.#bounds = bounds;
    this.#fitting = { bounds, sizesOf: (mailbox) => this.#sizesOf(mailbox) };
    this.#knowsId = database.prepare(
      "select at from mail_ids where type = ? and key = ? and id = ? and at > ? and at < ?",
    );
    this.#addId = database.prepare("insert or replace into mail_ids(type, key, id, at) values(?, ?, ?, ?)");
    this.#keep = database.prepare(`insert into mail(
      type, key, shard, sender_type, sender_key, id, kind, kept_at, attempts, next_at, frame)
      values(?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`);
    this.#dropMail = database.prepare("delete from mail where place = ? returning place");
    this.#bury = database.prepare(`insert into dead(
      type, key, id, kind, sent_at, place, code, reason, attempts, died_at, frame) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#letter = database.prepare("select * from dead where letter = ?");
    const sizes = "select letter, length(frame) as bytes from dead where";
    this.#letterSizes = database.prepare(`${sizes} letter > ? and died_at > ? order by letter limit ?`);
    this.#letterSizesOf = database.prepare(
      `${sizes} type = ? and key = ? and letter > ? and died_at > ? order by letter limit ?`,
    );
    this.#dropLetter = database.prepare("delete from dead where letter = ? returning letter");
    this.#forgetIds = database.prepare(
      "delete from mail_ids where rowid in (select rowid from mail_ids where at <= ? or at >= ? limit ?)",
    );
    this.#forgetOldestIds = database.prepare(
      "delete from mail_ids where rowid in (select rowid from mail_ids order by at, rowid limit ?) returning at",
    );
    this.#forgetLetters = database.prepare(
      "delete from dead where letter in (select letter from dead where died_at <= ? limit ?)",
    );
    const size = `length(frame) + ${letterSize(0)}`;
    this.#bytesOfTypes = database.prepare(`select sum(${size}) as bytes from dead group by type`);
    this.#forgetBeyond = database.prepare(`delete from dead where letter in (select letter from (
      select letter, sum(${size}) over (partition by type order by letter desc) as newer from dead) where newer > ?)
      returning letter`);
  }

  append(mailbox: AgentName, message: DurableMessage, nowMs: number): AppendOutcome {
    if (this.#knows(mailbox, message.id, nowMs)) return "known";
    const full = this.#whyFull(mailbox, message.frame);
    if (full !== undefined) return full;
    this.know(mailbox, message.id, nowMs);
    this.#keepMail(mailbox, message, message.sentAtMs);
    return "kept";
  }

  /** Notes that a mailbox was given a message of this id. */
  know({ type, key }: AgentName, id: string, nowMs: number): void {
    this.#addId.run(toBlob(type), toBlob(key), toBlob(id), nowMs);
    this.#newIds += 1;
  }

  /** Returns the indexes of the mail of a commit that its mailbox was given before. */
  knownMail({ mail }: Commit, nowMs: number): readonly number[] {
    if (mail.length === 0) return noMail;
    return mail.flatMap(({ isOnce, receiver, id }, index) =>
      isOnce === true && this.#knows(receiver, id, nowMs) ? [index] : [],
    );
  }

  /** Fits the mail of a commit into its mailboxes. */
  fit(mail: readonly Mail[]): MailFit {
    return mail.length === 0 ? allFits : fitMail(mail, this.#fitting);
  }

  /** Makes a dead letter of mail for which its mailbox has no space. Returns how many others were forgotten. */
  buryFull({ id, receiver, kind, frame }: Mail, nowMs: number): number {
    // Only messages may be buried.
    if (kind === "emptied") return 0;
    const message = { id, kind, frame, sentAtMs: nowMs, mailbox: receiver, place: 0, priorTakeovers: 0 };
    return this.bury(message, fullReason(receiver), nowMs);
  }

  /** One that is not in its mailbox any more stays as it is. Returns how many others were forgotten. */
  bury(message: KeptMessage, why: DeadReason, nowMs: number): number {
    const { mailbox, id, kind, sentAtMs, place, frame } = message;
    if (place !== 0 && this.#dropMail.get(place) === undefined) return 0;
    this.#newLetters += 1;
    this.#bury.run(
      ...[toBlob(mailbox.type), toBlob(mailbox.key), toBlob(id), kind, sentAtMs, place],
      ...[why.code, toBlob(why.text), why.attempts, nowMs, frame],
    );
    this.#unswept += letterSize(frame.length);
    return this.#unswept > sweepBytes ? this.#sweep() : 0;
  }

  /** Forgets the oldest letters of the types that have the most, if all have too many bytes. */
  #sweep(): number {
    this.#unswept = 0;
    const sizes = this.#bytesOfTypes.all().map((row) => numberIn(row, "bytes"));
    const level = fairLevel(sizes, storeLimits.deadLettersBytes);
    return level === Number.POSITIVE_INFINITY ? 0 : this.#forgetBeyond.all(level).length;
  }

  deadLetters({ mailbox, after = "0", letter, limit, maxBytes }: DeadQuery, nowMs: number): DeadPage {
    const aliveMs = nowMs - storeLimits.deadLetterMs;
    if (letter !== undefined) {
      const row = this.#letter.get(Number(letter));
      return { letters: row === undefined || numberIn(row, "died_at") <= aliveMs ? [] : [letterIn(row)], isLast: true };
    }
    const bounds = [Number(after), aliveMs, limit + 1] as const;
    const rows =
      mailbox === undefined
        ? this.#letterSizes.all(...bounds)
        : this.#letterSizesOf.all(toBlob(mailbox.type), toBlob(mailbox.key), ...bounds);
    const fitting = rows.slice(0, Math.min(limit, countWithin(rows, maxBytes)));
    const letters = fitting
      .map((row) => this.#letter.get(numberIn(row, "letter")))
      .filter((row) => row !== undefined)
      .map(letterIn);
    return { letters, isLast: fitting.length === rows.length };
  }

  replay(letters: readonly string[], nowMs: number): number {
    let count = 0;
    for (const name of letters) {
      const row = this.#letter.get(Number(name));
      if (row === undefined) continue;
      const letter = letterIn(row);
      if (this.#whyFull(letter.mailbox, letter.frame) !== undefined) continue;
      this.#dropLetter.get(Number(name));
      this.#keepMail(letter.mailbox, letter, nowMs);
      count += 1;
    }
    return count;
  }

  drop(letters: readonly string[]): number {
    return letters.filter((letter) => this.#dropLetter.get(Number(letter)) !== undefined).length;
  }

  /** Deletes rows that are too old: two for each one that was added since the last time, and `more` of each table. */
  forget(nowMs: number, more: number): void {
    const [ids, letters] = [2 * this.#newIds + more, 2 * this.#newLetters + more];
    const { mailIdMs } = storeLimits;
    if (ids > 0) this.#forgetIds.run(nowMs - mailIdMs, nowMs + mailIdMs, ids);
    if (letters > 0) this.#forgetLetters.run(nowMs - storeLimits.deadLetterMs, letters);
    this.#newIds = 0;
    this.#newLetters = 0;
  }

  /** Forgets the oldest ids, whatever their age: they are worth less than what is stored. Returns whether there were some. */
  forgetOldestIds(count: number): boolean {
    return this.#forgetOldestIds.all(count).length > 0;
  }

  #knows({ type, key }: AgentName, id: string, nowMs: number): boolean {
    const { mailIdMs } = storeLimits;
    // An id that is from later was kept before the clock was set back.
    const times = [nowMs - mailIdMs, nowMs + mailIdMs] as const;
    return this.#knowsId.get(toBlob(type), toBlob(key), toBlob(id), ...times) !== undefined;
  }

  #whyFull(mailbox: AgentName, frame: Uint8Array): FullMail | undefined {
    const bytes = mailSize(frame.length);
    return fullMail(
      this.#sizesOf(mailbox),
      { messages: 1, mailboxBytes: bytes, typeBytes: bytes, bytes },
      this.#bounds,
    );
  }

  #sizesOf({ type, key }: AgentName): MailSizes {
    this.#sizes ??= this.#database.prepare(`select
      (select messages from mailbox_sizes where type = ?1 and key = ?2) as messages,
      (select bytes from mailbox_sizes where type = ?1 and key = ?2) as mailbox_bytes,
      (select bytes from mail_type_sizes where type = ?1) as type_bytes,
      (select bytes from mail_size) as bytes`);
    const row = this.#sizes.get(toBlob(type), toBlob(key)) ?? {};
    return {
      messages: numberIn(row, "messages"),
      mailboxBytes: numberIn(row, "mailbox_bytes"),
      typeBytes: numberIn(row, "type_bytes"),
      bytes: numberIn(row, "bytes"),
    };
  }

  #keepMail(mailbox: AgentName, { id, kind, frame }: DurableMessage, atMs: number): void {
    const [type, key] = [toBlob(mailbox.type), toBlob(mailbox.key)];
    this.#keep.run(type, key, shardOf(mailbox), type, key, toBlob(id), kind, atMs, atMs, frame);
  }
}

const noMail: readonly number[] = [];
const allFits: MailFit = { at: "fits", buried: noMail };

/** Returns how many of the first rows have no more bytes together; one at least. */
function countWithin(rows: readonly Row[], maxBytes = Number.POSITIVE_INFINITY): number {
  let bytes = 0;
  const tooMany = rows.findIndex((row, at) => {
    bytes += numberIn(row, "bytes");
    return at > 0 && bytes > maxBytes;
  });
  return tooMany < 0 ? rows.length : tooMany;
}
