import { randomBytes } from "node:crypto";
import {
  type AgentName,
  type Clock,
  errorText,
  type FullMail,
  type KeptMessage,
  type MailBounds,
  mailShareOf,
  type RuntimeLog,
  StoreError,
  shardCount,
  shardOf,
  type Timer,
} from "../../core/internal.ts";
import { type Fields, isCount, isFields } from "../api-answer.ts";
import type { NatsClient } from "../nats-client.ts";
import { type AddressedMail, countedIn, countedMail } from "./counted-mail.ts";
import { HeaderPages } from "./header-pages.ts";
import type { MailStreams } from "./mail-streams.ts";
import { RecentAppends } from "./recent-appends.ts";
import { type CountedMail, type ReportedFrom, type ShardReport, ShardSums } from "./shard-sums.ts";
import { encodeReport, readReport } from "./size-reports.ts";
import type { StreamAsks } from "./stream-asks.ts";

/** The parts of `MailCounts`. */
export interface MailCountsParts {
  readonly client: NatsClient;
  readonly asks: StreamAsks;
  readonly streams: MailStreams;
  /** Bytes of one mailbox. */
  readonly mailboxBytes: number;
  readonly clock: Clock;
  readonly log: RuntimeLog;
}

const lookEveryMs = 1_000;
/** Milliseconds for which a report counts. An owner that counts sends one after each look. */
const reportMs = 15_000;
/** Milliseconds that one append waits for a look. */
const mostWaitMs = 250;
/** Milliseconds after which a shard is counted anew, if that takes no more than a twentieth of the time. */
const recountMs = 600_000;

interface Counting {
  readonly pages: HeaderPages;
  readonly sums: ShardSums;
  readonly begunMs: number;
  /** When all that was there had been counted. */
  wholeMs: number | undefined;
}

/** A shard that this process reads. */
interface OwnShard {
  /** Undefined: there is too little mail to be counted. */
  counted: Counting | undefined;
  /** Takes the place of `counted` when it is whole. */
  next: Counting | undefined;
}

interface Known {
  readonly report: ShardReport;
  readonly atMs: number;
}

interface StreamInfo {
  readonly state: { readonly bytes: number };
  readonly config: { readonly max_bytes: number };
}

function isInfo({ state, config }: Fields): boolean {
  return isFields(state) && isCount(state.bytes) && isFields(config) && Number.isSafeInteger(config.max_bytes);
}

// protocol.md §12.9
/**
 * Bounds the bytes of mailboxes and of agent types. NATS counts messages of a subject, and bytes of a stream alone. While
 * there is much mail, each reader of a shard counts its messages, and tells the others its largest sums. A process adds what it has appended
 * since then.
 */
export class MailCounts {
  readonly #parts: MailCountsParts;
  readonly #own = new Map<number, OwnShard>();
  readonly #known = new Map<number, Known>();
  readonly #recent = new RecentAppends();
  readonly #secret = randomBytes(16);
  readonly #endHearing: () => void;
  #bounds: Pick<MailBounds, "bytes" | "mailboxBytes">;
  #isCounting = false;
  #streamBytes = Number.POSITIVE_INFINITY;
  /** Bytes that this process has appended since the last look began. */
  #appended = 0;
  #looking: Promise<void> | undefined;
  /** Appends wait for a look, or for the end of their patience. Never rejects. */
  #waiting: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(parts: MailCountsParts) {
    const { client, streams, mailboxBytes } = parts;
    this.#parts = parts;
    this.#bounds = { bytes: streams.mail.maxBytes ?? Number.POSITIVE_INFINITY, mailboxBytes };
    this.#endHearing = client.subscribe(streams.hint, ({ data }) => {
      const report = readReport(data, shardCount);
      if (report !== undefined) this.#learn(report);
    });
  }

  /** Bytes of all mail, about. Infinite: unknown. */
  get streamBytes(): number {
    return this.#streamBytes + this.#appended;
  }

  /** This process reads a shard. */
  begin(shard: number): void {
    this.#own.set(shard, { counted: undefined, next: undefined });
    this.#timer ??= this.#parts.clock.setTimer(0, () => this.#tick());
  }

  /** This process does not read a shard any more. */
  end(shard: number): void {
    this.#own.delete(shard);
  }

  /** The streams are others by now: nothing that is known of their messages counts. */
  forget(): void {
    for (const own of this.#own.values()) {
      own.counted = undefined;
      own.next = undefined;
    }
    this.#known.clear();
    this.#recent.clear();
    this.#isCounting = false;
    this.#streamBytes = Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.#isClosed = true;
    this.#endHearing();
    this.#timer?.cancel();
    this.#own.clear();
  }

  /**
   * Says which bound a message would break. Waits a moment if this process has appended much since it looked. Rejects as `too-large` for a message
   * that no empty mailbox takes.
   */
  async whyFull({ shard, mailbox, type, bytes }: AddressedMail): Promise<FullMail | undefined> {
    // A process that reads no shard learns from reports alone.
    const mustWait = this.#appended >= this.#least / 8 && this.#own.size > 0;
    // Messages leave in the order in which they came: those that come while others wait wait behind them.
    if (mustWait || this.#waiting !== undefined) await this.#lookFirst();
    if (bytes > this.#least) throw tooLarge(bytes, this.#least);
    if (this.#known.size === 0) return undefined;
    if (this.#mailboxBytes(shard, mailbox) + bytes > this.#bounds.mailboxBytes) return "full";
    return this.#typeBytes(type) + bytes > mailShareOf(this.#bounds) ? "type-full" : undefined;
  }

  /** This process has appended a message at a place. */
  appended(mail: AddressedMail, place: number): void {
    this.#appended += mail.bytes;
    this.#recent.add(mail.shard, { ...mail, place });
  }

  /** A message of a shard that this process reads has left its mailbox. */
  removed(message: KeptMessage): void {
    const own = this.#own.get(shardOf(message.mailbox));
    if (own?.counted === undefined) return;
    this.#remove(shardOf(message.mailbox), countedMail(this.#parts.streams, message.mailbox, message));
  }

  /** Counts the messages that a mailbox has up to a place; the returned function says that these have left it. */
  async emptying(mailbox: AgentName, upTo: number): Promise<() => void> {
    const { client, asks, streams } = this.#parts;
    const shard = shardOf(mailbox);
    const subject = streams.mailSubject(mailbox);
    if (this.#own.get(shard)?.counted === undefined) return () => undefined;
    const found: CountedMail[] = [];
    const pages = new HeaderPages(client, asks, streams.mail.stream, subject);
    for (let place = 0, isLast = false; !isLast; ) {
      const page = await pages.read(place);
      found.push(...page.messages.flatMap((message) => countedIn(message) ?? []));
      place = page.place;
      isLast = page.isLast || place >= upTo;
    }
    return () => {
      for (const mail of found) if (mail.place <= upTo) this.#remove(shard, mail);
    };
  }

  /** The bytes that break a bound. */
  get #least(): number {
    return Math.min(this.#bounds.mailboxBytes, mailShareOf(this.#bounds));
  }

  get #reportedFrom(): ReportedFrom {
    return { mailbox: this.#bounds.mailboxBytes / 2, type: mailShareOf(this.#bounds) / 2_048 };
  }

  #remove(shard: number, mail: CountedMail): void {
    const own = this.#own.get(shard);
    own?.counted?.sums.remove(mail);
    own?.next?.sums.remove(mail);
    this.#recent.removed(shard, mail.place);
  }

  #mailboxBytes(shard: number, mailbox: string): number {
    const known = this.#reportOf(shard);
    if (known === undefined) return 0;
    const own = this.#own.get(shard)?.counted;
    const counted = own?.wholeMs === undefined ? known.mailboxes.get(mailbox) : own.sums.mailboxBytes(mailbox);
    return (counted ?? 0) + this.#recent.mailboxBytes(shard, mailbox);
  }

  #typeBytes(type: string): number {
    let bytes = 0;
    for (const shard of [...this.#known.keys()]) {
      const known = this.#reportOf(shard);
      if (known === undefined) continue;
      const own = this.#own.get(shard)?.counted;
      const counted = own?.wholeMs === undefined ? known.types.get(type) : own.sums.typeBytes(type);
      bytes += (counted ?? 0) + this.#recent.typeBytes(shard, type);
    }
    return bytes;
  }

  #reportOf(shard: number): ShardReport | undefined {
    const known = this.#known.get(shard);
    if (known === undefined || this.#parts.clock.now() - known.atMs < reportMs) return known?.report;
    this.#known.delete(shard);
    return undefined;
  }

  #learn(report: ShardReport): void {
    this.#known.set(report.shard, { report, atMs: this.#parts.clock.now() });
    this.#recent.counted(report.shard, report.place);
  }

  #lookFirst(): Promise<void> {
    if (this.#waiting === undefined) {
      this.#waiting = this.#waitForLook();
      void this.#waiting.then(() => {
        this.#waiting = undefined;
      });
    }
    return this.#waiting;
  }

  async #waitForLook(): Promise<void> {
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#parts.clock.setTimer(mostWaitMs, resolve, { keepAlive: true });
    });
    await Promise.race([this.#look(), late]);
    timer?.cancel();
  }

  #tick(): void {
    void this.#look().finally(() => {
      this.#timer = undefined;
      if (this.#isClosed || this.#own.size === 0) return;
      this.#timer = this.#parts.clock.setTimer(lookEveryMs, () => this.#tick());
    });
  }

  /** Looks how much mail there is, and counts on. Never rejects. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookNow()
      .catch((error: unknown) => {
        if (!this.#isClosed)
          this.#parts.log.debug("the bytes of mailboxes can't be counted", { error: errorText(error) });
      })
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    const { asks, streams } = this.#parts;
    const before = this.#appended;
    const info = await asks.ask<StreamInfo>(`STREAM.INFO.${streams.mail.stream}`, undefined, isInfo);
    if (!("value" in info) || this.#isClosed) return;
    this.#appended -= before;
    const { state, config } = info.value;
    const bytes = config.max_bytes > 0 ? config.max_bytes : Number.POSITIVE_INFINITY;
    this.#bounds = { ...this.#bounds, bytes };
    this.#streamBytes = state.bytes;
    const wasCounting = this.#isCounting;
    this.#isCounting = state.bytes >= this.#least / (wasCounting ? 4 : 2);
    if (!this.#isCounting) {
      if (wasCounting) this.#stopCounting();
      return;
    }
    for (const shard of [...this.#own.keys()]) await this.#countOn(shard);
  }

  #stopCounting(): void {
    for (const [shard, own] of this.#own) {
      if (own.counted?.wholeMs !== undefined)
        this.#tell({ shard, place: own.counted.sums.place, mailboxes: new Map(), types: new Map() });
      own.counted = undefined;
      own.next = undefined;
    }
  }

  async #countOn(shard: number): Promise<void> {
    const own = this.#own.get(shard);
    if (own === undefined) return;
    const nowMs = this.#parts.clock.now();
    own.counted ??= this.#newCounting(shard);
    const { wholeMs, begunMs } = own.counted;
    const isOld = wholeMs !== undefined && nowMs - wholeMs > Math.max(recountMs, 20 * (wholeMs - begunMs));
    // Another program may have deleted messages.
    if (isOld) own.next ??= this.#newCounting(shard);
    for (const counting of [own.counted, own.next]) if (counting !== undefined) await this.#readOn(shard, counting);
    if (own.next?.wholeMs !== undefined) {
      own.counted = own.next;
      own.next = undefined;
    }
    if (this.#own.get(shard) === own && own.counted?.wholeMs !== undefined)
      this.#tell(own.counted.sums.report(shard, this.#reportedFrom));
  }

  #newCounting(shard: number): Counting {
    const { client, asks, streams, clock } = this.#parts;
    const pages = new HeaderPages(client, asks, streams.mail.stream, streams.shardSubjects(shard));
    return { pages, sums: new ShardSums(this.#secret), begunMs: clock.now(), wholeMs: undefined };
  }

  async #readOn(shard: number, counting: Counting): Promise<void> {
    const { pages, sums } = counting;
    for (let isLast = false; !isLast && this.#own.has(shard) && !this.#isClosed; ) {
      const page = await pages.read(sums.place);
      const counted = page.messages.flatMap((message) => countedIn(message) ?? []);
      sums.count(counted, page.place, this.#reportedFrom);
      isLast = page.isLast;
      if (isLast) counting.wholeMs ??= this.#parts.clock.now();
    }
    this.#recent.counted(shard, counting.wholeMs === undefined ? 0 : sums.place);
  }

  #tell(report: ShardReport): void {
    this.#learn(report);
    this.#parts.client.publish(this.#parts.streams.hint, encodeReport(report));
  }
}

function tooLarge(bytes: number, most: number): StoreError {
  const text = `The message is over the limit of ${most} bytes of one mailbox: it has ${bytes} with its names. Raise maxMailboxBytes, or send less.`;
  return new StoreError("too-large", text);
}
