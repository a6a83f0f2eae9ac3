import { MailSums } from "./mail-sums.ts";

/** A message that counts. */
export interface CountedMail {
  readonly place: number;
  /** The tokens of its subject that name its agent type and its mailbox. */
  readonly type: string;
  readonly mailbox: string;
  /** Bytes that the stream has of it. */
  readonly bytes: number;
}

/** The largest sums of a shard, as its owner tells them. */
export interface ShardReport {
  readonly shard: number;
  /** The place up to which all messages count. */
  readonly place: number;
  /** By the tokens of subjects. */
  readonly mailboxes: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, number>;
}

/** Sums from which on a report has them, in bytes. */
export interface ReportedFrom {
  readonly mailbox: number;
  readonly type: number;
}

/** Sums of one kind that a report has. */
export const mostReported = 500;
/** Names that may have a sum for the report. Beyond them the smallest go. */
const mostLarge = 2 * mostReported;
/** Messages that ended before they were counted. */
const mostAhead = 20_000;

/** The bytes of a shard's mailboxes and of its agent types. Its memory is bounded. */
export class ShardSums {
  readonly #mailboxes: LargeSums;
  readonly #types: LargeSums;
  /** Places of messages that ended before they were counted. */
  readonly #ahead = new Set<number>();
  #place = 0;

  constructor(secret: Uint8Array) {
    this.#mailboxes = new LargeSums(secret);
    this.#types = new LargeSums(secret);
  }

  /** The place up to which all messages count. */
  get place(): number {
    return this.#place;
  }

  /** Counts the messages of a page, which ends at a place. */
  count(messages: readonly CountedMail[], place: number, from: ReportedFrom): void {
    for (const mail of messages) {
      if (this.#ahead.delete(mail.place)) continue;
      this.#mailboxes.add(mail.mailbox, mail.bytes, from.mailbox);
      this.#types.add(mail.type, mail.bytes, from.type);
    }
    this.#place = Math.max(this.#place, place);
    for (const at of this.#ahead) if (at <= this.#place) this.#ahead.delete(at);
  }

  /** A message has left its mailbox. */
  remove({ place, mailbox, type, bytes }: CountedMail): void {
    if (place > this.#place) {
      if (this.#ahead.size < mostAhead) this.#ahead.add(place);
      return;
    }
    this.#mailboxes.remove(mailbox, bytes);
    this.#types.remove(type, bytes);
  }

  mailboxBytes(mailbox: string): number {
    return this.#mailboxes.of(mailbox);
  }

  typeBytes(type: string): number {
    return this.#types.of(type);
  }

  report(shard: number, from: ReportedFrom): ShardReport {
    const [mailboxes, types] = [this.#mailboxes.largest(from.mailbox), this.#types.largest(from.type)];
    return { shard, place: this.#place, mailboxes, types };
  }
}

/** Sums by name that knows which are large. */
class LargeSums {
  readonly #sums: MailSums;
  readonly #large = new Set<string>();

  constructor(secret: Uint8Array) {
    this.#sums = new MailSums(secret);
  }

  add(name: string, bytes: number, from: number): void {
    if (this.#sums.add(name, bytes) < from || this.#large.has(name)) return;
    this.#large.add(name);
    if (this.#large.size > mostLarge) this.#keep(this.#sorted());
  }

  remove(name: string, bytes: number): void {
    this.#sums.add(name, -bytes);
  }

  of(name: string): number {
    return this.#sums.of(name);
  }

  largest(from: number): ReadonlyMap<string, number> {
    const sorted = this.#sorted().filter(([, bytes]) => bytes >= from);
    this.#keep(sorted);
    return new Map(sorted.slice(0, mostReported));
  }

  #sorted(): (readonly [string, number])[] {
    const all = [...this.#large].map((name) => [name, this.#sums.of(name)] as const);
    return all.sort(([, one], [, other]) => other - one);
  }

  #keep(sorted: readonly (readonly [string, number])[]): void {
    this.#large.clear();
    for (const [name] of sorted.slice(0, mostReported)) this.#large.add(name);
  }
}
