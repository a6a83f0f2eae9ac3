import { NumberMap } from "../collections/number-map.ts";
import { type AgentName, shardCount, shardOf, textOfName } from "./agent-name.ts";
import {
  type DeadLetter,
  type DeadQuery,
  type DeadReason,
  type DurableLog,
  type DurableMessage,
  type KeptMessage,
  type LostReaders,
  type MailReceiver,
  type ShardHold,
  type ShardReader,
  type TakeOptions,
  takeoversAt,
} from "./durable-log.ts";
import type { AppendOutcome } from "./mail-bounds.ts";
import type { StoredMail } from "./state-store.ts";
import { StoreError } from "./store-error.ts";

/** Which part of the mail to read: by place, in pages that are bounded in bytes. A page has one message at least, if there is one. */
export interface MailPageQuery {
  /** Default: of all receivers. */
  readonly mailbox?: AgentName | undefined;
  readonly after: number;
  readonly limit: number;
  readonly maxBytes: number;
}

/** One page of dead letters. */
export interface DeadPage {
  readonly letters: readonly DeadLetter[];
  readonly isLast: boolean;
}

/** The tables of a store that its log is made of. Methods reject with a `StoreError`. */
export interface MailTable {
  readMail(query: MailPageQuery): Promise<readonly StoredMail[]>;
  append(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome>;
  dropMail(place: number): Promise<void>;
  bury(message: KeptMessage, why: DeadReason): Promise<number>;
  deadLetters(query: DeadQuery): Promise<DeadPage>;
  replay(letters: readonly string[]): Promise<number>;
  drop(letters: readonly string[]): Promise<number>;
}

/** Messages that readers have and have not settled, at most, and their bytes. One longer message is handed over alone. */
const mostUnsettled = 1_000;
const mostUnsettledBytes = 16 * 1024 * 1024;
/** Messages of one page, and their bytes. */
const pageMessages = 256;
const pageBytes = 4 * 1024 * 1024;

/** A shard that is read. */
interface Holding {
  readonly token: number;
  readonly reader: ShardReader;
  readonly lost: readonly LostReaders[];
}

/** A message that a reader has. */
interface Handed {
  readonly place: number;
  readonly shard: number;
  readonly bytes: number;
}

/** The log over the mail of a store with one writer. The store calls `wake` when mail was written. */
export class StoreLog implements DurableLog {
  readonly shards = shardCount;
  readonly #table: MailTable;
  readonly #holdings = new Map<number, Holding>();
  /** By place. */
  readonly #handed = new NumberMap<Handed>();
  #handedBytes = 0;
  /** Mailboxes by their text, each with the place from which on its messages are spilled. */
  readonly #spilled = new Map<string, { readonly mailbox: AgentName; from: number }>();
  /** The last place that was read for the readers. */
  #place = 0;
  /** Whether mail may have come since it was last read. */
  #hasMore = false;
  #isReading = false;
  #isPageAsked = false;
  /** Places that were settled since a page was asked for, which may still have them. */
  #settled: Set<number> | undefined;

  constructor(table: MailTable) {
    this.#table = table;
  }

  /** Whether messages may wait to be read for a reader. */
  get isReading(): boolean {
    return this.#isReading || (this.#hasMore && this.#hasRoom && this.#holdings.size > 0);
  }

  /** Reads what was written since the last time. */
  wake(): void {
    this.#hasMore = true;
    this.#read();
  }

  /** Reads what a write may have left, unless it certainly has written no mail. */
  async wakeAfter<T>(written: Promise<T>): Promise<T> {
    try {
      const result = await written;
      this.wake();
      return result;
    } catch (error) {
      if (error instanceof StoreError && error.storeCode === "unknown") this.wake();
      throw error;
    }
  }

  append(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome> {
    return this.#table.append(mailbox, message);
  }

  async take(shard: number, token: number, reader: ShardReader, { lost = [] }: TakeOptions = {}): Promise<ShardHold> {
    const before = this.#holdings.get(shard);
    if (before !== undefined && before.token > token) {
      throw takenOver();
    }
    this.#release(shard);
    const holding: Holding = { token, reader, lost };
    this.#holdings.set(shard, holding);
    before?.reader.onLost(takenOver());
    this.#place = 0;
    this.wake();
    return {
      settle: (message) => this.#settle(shard, holding, message),
      leave: async () => {
        if (this.#holdings.get(shard) !== holding) return;
        this.#holdings.delete(shard);
        this.#release(shard);
      },
    };
  }

  /** The readers of one process are lost together, and what they had read with them. */
  async reached(): Promise<number> {
    return 0;
  }

  async newest(): Promise<number> {
    for (let newest = 0; ; ) {
      const last = (await this.receivers(newest)).at(-1);
      if (last === undefined) return newest;
      newest = last.place;
    }
  }

  async empty(mailbox: AgentName, upTo: number): Promise<void> {
    for (;;) {
      const page = await this.#table.readMail({ mailbox, after: 0, limit: pageMessages, maxBytes: pageBytes });
      const places = page.map(({ place }) => place).filter((place) => place <= upTo);
      if (places.length === 0) return;
      for (const place of places) {
        await this.#table.dropMail(place);
        this.#ended(place);
      }
    }
  }

  async spill(_shard: number, mailbox: AgentName, { place }: Pick<KeptMessage, "place">): Promise<void> {
    const text = textOfName(mailbox);
    const known = this.#spilled.get(text);
    if (known === undefined) this.#spilled.set(text, { mailbox, from: place });
    else known.from = Math.min(known.from, place);
    this.#letGo(place);
  }

  async pass(_shard: number, mailbox: AgentName, messages: readonly KeptMessage[]): Promise<void> {
    this.#spilled.delete(textOfName(mailbox));
    for (const { place } of messages) this.#letGo(place);
  }

  async receivers(after: number): Promise<readonly MailReceiver[]> {
    const page = await this.#table.readMail({ after, limit: pageMessages, maxBytes: pageBytes });
    return page.map(({ receiver, place, frame }) => ({ mailbox: receiver, place, bytes: frame.length }));
  }

  async spilled(shard: number): Promise<readonly AgentName[]> {
    return [...this.#spilled.values()].map(({ mailbox }) => mailbox).filter((mailbox) => shardOf(mailbox) === shard);
  }

  async *unspill(shard: number, mailbox: AgentName): AsyncGenerator<KeptMessage, void, undefined> {
    const text = textOfName(mailbox);
    for (;;) {
      const known = this.#spilled.get(text);
      if (known === undefined) return;
      const query = { mailbox, after: known.from - 1, limit: pageMessages, maxBytes: pageBytes };
      const placeBefore = this.#place;
      const page = await this.#table.readMail(query);
      if (page.length === 0) {
        this.#spilled.delete(text);
        // What was kept since this page was asked for may have been left out for the readers. What they had read before is in no need of it.
        if (this.#place > placeBefore) {
          this.#place = placeBefore;
          this.wake();
        }
        return;
      }
      for (const mail of page) {
        known.from = mail.place + 1;
        const { kind } = mail;
        if (kind === "emptied") {
          this.#dropMark(mail);
          continue;
        }
        this.#hand(shard, mail);
        yield toKept({ ...mail, kind }, this.#holdings.get(shard)?.lost);
      }
    }
  }

  async bury(message: KeptMessage, why: DeadReason): Promise<number> {
    const forgotten = await this.#table.bury(message, why);
    this.#ended(message.place);
    return forgotten;
  }

  deadLetters(query: DeadQuery): Promise<DeadPage> {
    return this.#table.deadLetters(query);
  }

  replay(letters: readonly string[]): Promise<number> {
    return this.#table.replay(letters);
  }

  drop(letters: readonly string[]): Promise<number> {
    return this.#table.drop(letters);
  }

  get #hasRoom(): boolean {
    return this.#handed.size < mostUnsettled && this.#handedBytes < mostUnsettledBytes;
  }

  async #settle(shard: number, holding: Holding, { place }: KeptMessage): Promise<"settled" | "lost"> {
    if (this.#holdings.get(shard) !== holding) return "lost";
    try {
      await this.#table.dropMail(place);
    } catch (error) {
      if (!(error instanceof StoreError) || (error.storeCode !== "fenced" && error.storeCode !== "closed")) throw error;
      this.#lose(error.message);
      return "lost";
    }
    this.#ended(place);
    return "settled";
  }

  /** The message at a place is in no mailbox any more. */
  #ended(place: number): void {
    if (this.#isPageAsked) {
      this.#settled ??= new Set();
      this.#settled.add(place);
    }
    this.#letGo(place);
  }

  #hand(shard: number, { place, frame }: StoredMail): void {
    if (this.#handed.get(place) !== undefined) return;
    this.#handed.add(place, { place, shard, bytes: frame.length });
    this.#handedBytes += frame.length;
  }

  #letGo(place: number): void {
    const handed = this.#handed.get(place);
    if (handed === undefined) return;
    this.#handed.delete(place);
    this.#handedBytes -= handed.bytes;
    this.#read();
  }

  /** Forgets what the reader of a shard has. */
  #release(shard: number): void {
    for (const handed of this.#handed.values()) {
      if (handed.shard !== shard) continue;
      this.#handed.delete(handed.place);
      this.#handedBytes -= handed.bytes;
    }
    for (const [text, { mailbox }] of this.#spilled) if (shardOf(mailbox) === shard) this.#spilled.delete(text);
  }

  #lose(reason: string): void {
    const error = new StoreError("unavailable", reason);
    const readers = [...this.#holdings.values()].map(({ reader }) => reader);
    for (const shard of [...this.#holdings.keys()]) this.#release(shard);
    this.#holdings.clear();
    for (const reader of readers) reader.onLost(error);
  }

  #read(): void {
    if (this.#isReading || !this.#hasMore || !this.#hasRoom || this.#holdings.size === 0) return;
    this.#isReading = true;
    void this.#readAll();
  }

  async #readAll(): Promise<void> {
    try {
      // What is written in this turn of the event loop is read in one page.
      await undefined;
      while (this.#hasMore && this.#hasRoom && this.#holdings.size > 0) await this.#readPage();
    } catch (error) {
      // The readers take the shards again when the store answers.
      this.#lose(error instanceof Error ? error.message : String(error));
    } finally {
      this.#isReading = false;
    }
  }

  async #readPage(): Promise<void> {
    const limit = Math.min(pageMessages, mostUnsettled - this.#handed.size);
    const maxBytes = Math.min(pageBytes, mostUnsettledBytes - this.#handedBytes);
    this.#hasMore = false;
    const from = this.#place;
    this.#isPageAsked = true;
    const page = await this.#table.readMail({ after: from, limit, maxBytes });
    const settled = this.#settled;
    this.#isPageAsked = false;
    this.#settled = undefined;
    if (page.length > 0) this.#hasMore = true;
    // A shard was taken meanwhile, and is read from its oldest message on.
    if (this.#place !== from) return;
    for (const mail of page) {
      this.#place = mail.place;
      if (settled?.has(mail.place) !== true) this.#handOver(mail);
      if (this.#place !== mail.place) return;
    }
  }

  #handOver(mail: StoredMail): void {
    const shard = shardOf(mail.receiver);
    const holding = this.#holdings.get(shard);
    if (holding === undefined || this.#handed.get(mail.place) !== undefined) return;
    const spilled = this.#spilled.size === 0 ? undefined : this.#spilled.get(textOfName(mail.receiver));
    if (spilled !== undefined && mail.place >= spilled.from) return;
    const { kind } = mail;
    if (kind === "emptied") return this.#dropMark(mail);
    this.#hand(shard, mail);
    holding.reader.onMessage(toKept({ ...mail, kind }, holding.lost));
  }

  /** A mark from a time when the database had many writers. The mailbox was deleted with its agent. */
  #dropMark({ place }: StoredMail): void {
    this.#table.dropMail(place).catch(() => undefined);
  }
}

function toKept(
  { id, kind, frame, keptAtMs, receiver, place }: StoredMail & Pick<KeptMessage, "kind">,
  lost: readonly LostReaders[] = [],
): KeptMessage {
  return { id, kind, frame, sentAtMs: keptAtMs, mailbox: receiver, place, priorTakeovers: takeoversAt(place, lost) };
}

function takenOver(): StoreError {
  const text = "Another runtime or host of this process delivers the mail of this state store by now.";
  return new StoreError("fenced", `${text} Give each runtime and each host a store of its own.`);
}
