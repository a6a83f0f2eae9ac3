import {
  type AgentName,
  type KeptMessage,
  type LostReaders,
  loggableText,
  type ShardReader,
  type StoreError,
  takeoversAt,
  textOfName,
} from "../../core/internal.ts";
import { readKept, type StreamMessage } from "./mail-headers.ts";
import { SettledMail, type SettledMailParts } from "./settled-mail.ts";
import { ShardConsumer, type ShardConsumerParts } from "./shard-consumer.ts";

/** Milliseconds until it may be looked again whether the shard has unknown messages; twice as many each time, up to a minute. */
const lookAgainMs = 1_000;
const mostLookAgainMs = 60_000;

/** The parts of a `ShardReading`. */
export interface ShardReadingParts
  extends Omit<ShardConsumerParts, "onMessage" | "onRestart" | "onFenced">,
    Pick<SettledMailParts, "rounds" | "isSmall" | "onRemoved"> {
  readonly reader: ShardReader;
  readonly lost: readonly LostReaders[];
  /** Called once, when it has ended by itself. */
  readonly onOver: () => void;
}

/** The messages of a mailbox that are out of the way of their shard: those from a place on. */
interface Spilled {
  readonly mailbox: AgentName;
  from: number;
  /** The last place that is known to be there. */
  until: number;
}

interface Handed {
  readonly text: string;
  readonly bytes: number;
  /** The mailbox was emptied: there is nothing to delete. */
  isGone: boolean;
}

/**
 * The reading of one shard by one reader. Messages stay in the stream until they are settled: spilling and passing write nothing. What is
 * spilled is left out when the consumer comes to it, and read by its mailbox later.
 */
export class ShardReading {
  readonly #parts: ShardReadingParts;
  readonly #consumer: ShardConsumer;
  readonly #settled: SettledMail;
  /** By place. */
  readonly #handed = new Map<number, Handed>();
  /** By the text of the mailbox. */
  readonly #spilled = new Map<string, Spilled>();
  /** Mailboxes that were read back to a place that the consumer has not come to, by their text. */
  readonly #readAhead = new Map<string, number>();
  /** Up to this place the shard may have messages that are neither handed nor spilled. 0: it has none. */
  #doubtfulTo = 0;
  #lookAtMs = 0;
  #lookAgainMs = lookAgainMs;
  #isOver = false;

  constructor(parts: ShardReadingParts) {
    this.#parts = parts;
    this.#consumer = new ShardConsumer({
      ...parts,
      onMessage: (message) => this.#take(message),
      // Servers that have lost messages may give their places to others, which it would not read.
      onRestart: () => this.#doubt(this.#consumer.place),
      onFenced: (error) => this.lose(error),
    });
    this.#settled = new SettledMail({
      ...parts,
      openFrom: () => this.#openFrom(),
      look: () => this.#look(),
    });
  }

  get token(): number {
    return this.#parts.token;
  }

  /** The place of the last message that was read. */
  get place(): number {
    return this.#consumer.place;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get spilledMailboxes(): readonly AgentName[] {
    return [...this.#spilled.values()].map(({ mailbox }) => mailbox);
  }

  start(): Promise<void> {
    return this.#consumer.start();
  }

  restart(reason: string): void {
    this.#consumer.restart(reason);
  }

  /** Another reader has taken the shard, or the mail is lost. */
  lose(error: StoreError): void {
    if (this.#isOver) return;
    this.end();
    this.#parts.onOver();
    this.#parts.reader.onLost(error);
  }

  /** Ends it as if its process were lost. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#consumer.end();
    this.#settled.end();
    for (const place of [...this.#handed.keys()]) this.letGo(place);
    this.#spilled.clear();
    this.#readAhead.clear();
  }

  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.end();
    this.#parts.onOver();
    await this.#consumer.leave();
  }

  /** Deletes a message. Resolves when that is done, or when the reading is over. Rejects with a `StoreError`. */
  async settle(message: KeptMessage): Promise<void> {
    if (this.#handed.get(message.place)?.isGone !== true) await this.#settled.settle(message);
    this.letGo(message.place);
  }

  /** The messages of a mailbox up to a place were deleted. */
  emptied(mailbox: AgentName, upTo: number): void {
    const text = textOfName(mailbox);
    for (const [place, handed] of this.#handed) if (handed.text === text && place <= upTo) handed.isGone = true;
  }

  /** The reader has a message no more. */
  letGo(place: number): void {
    const handed = this.#handed.get(place);
    if (handed === undefined) return;
    this.#handed.delete(place);
    this.#parts.budget.remove(handed.bytes);
  }

  spill(mailbox: AgentName, place: number): void {
    const text = textOfName(mailbox);
    const known = this.#spilled.get(text) ?? { mailbox, from: place, until: place };
    known.from = Math.min(known.from, place);
    for (const [at, handed] of this.#handed) {
      if (handed.text !== text || at < place) continue;
      known.until = Math.max(known.until, at);
      this.letGo(at);
    }
    this.#spilled.set(text, known);
  }

  pass(mailbox: AgentName, messages: readonly KeptMessage[]): void {
    const text = textOfName(mailbox);
    const places = [this.#spilled.get(text)?.until, this.#readAhead.get(text), ...messages.map(({ place }) => place)];
    this.#doubt(Math.max(this.#consumer.place, ...places.map((place) => place ?? 0)));
    this.#spilled.delete(text);
    for (const { place } of messages) this.letGo(place);
  }

  /** The place from which on a mailbox is read back. Undefined: nothing of it is spilled. */
  spilledFrom(mailbox: AgentName): number | undefined {
    return this.#spilled.get(textOfName(mailbox))?.from;
  }

  /** A spilled message was read. Returns it as the reader gets it; undefined: it can't be read. */
  readBack(mailbox: AgentName, message: StreamMessage): KeptMessage | undefined {
    const text = textOfName(mailbox);
    const known = this.#spilled.get(text);
    if (known !== undefined) known.from = message.place + 1;
    const kept = this.#read(message);
    if (kept !== undefined) this.#hand(text, kept);
    return kept;
  }

  /** Nothing was found at the place from which on a mailbox is spilled. Returns whether all of it was read: something may be known to be there. */
  endSpill(mailbox: AgentName): boolean {
    const text = textOfName(mailbox);
    const known = this.#spilled.get(text);
    if (known !== undefined && known.until >= known.from) return false;
    this.#spilled.delete(text);
    const readTo = Math.max(this.#readAhead.get(text) ?? 0, (known?.from ?? 0) - 1);
    if (readTo > this.#consumer.place) this.#readAhead.set(text, readTo);
    return true;
  }

  /** The messages that are known to be there were settled or deleted by others. */
  forgetKnown(mailbox: AgentName): void {
    const known = this.#spilled.get(textOfName(mailbox));
    if (known === undefined) return;
    this.#doubt(known.until);
    known.until = known.from - 1;
  }

  #doubt(place: number): void {
    this.#doubtfulTo = Math.max(this.#doubtfulTo, place);
  }

  /** The place before which all messages of the shard are settled. 0: unknown. */
  #openFrom(): number {
    if (this.#isOver || this.#doubtfulTo > 0) return 0;
    // What was read back may have come from behind the consumer's place: not all before it is known.
    let from = this.#consumer.place + 1;
    for (const place of this.#handed.keys()) if (place < from && !this.#settled.has(place)) from = place;
    for (const spilled of this.#spilled.values()) from = Math.min(from, spilled.from);
    return from;
  }

  /** Ends the doubt if the first message of the shard is behind it. */
  async #look(): Promise<void> {
    const { asks, stream, filter, clock } = this.#parts;
    const [doubtfulTo, nowMs] = [this.#doubtfulTo, clock.now()];
    if (doubtfulTo === 0 || nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + this.#lookAgainMs;
    this.#lookAgainMs = Math.min(2 * this.#lookAgainMs, mostLookAgainMs);
    const first = await asks.next(stream, filter, 1).catch(() => undefined);
    // A server that was replaced as the leader may not have the newest messages. It has had all before one that it has.
    if (first === undefined || first.place <= doubtfulTo || this.#doubtfulTo > doubtfulTo) return;
    this.#doubtfulTo = 0;
    this.#lookAgainMs = lookAgainMs;
  }

  #take(message: StreamMessage): void {
    const kept = this.#read(message);
    if (kept === undefined) return;
    const text = textOfName(kept.mailbox);
    const spilled = this.#spilled.get(text);
    if (spilled !== undefined) {
      // Before `from` it was read back.
      spilled.until = Math.max(spilled.until, kept.place);
      return;
    }
    const ahead = this.#readAhead.get(text) ?? 0;
    if (ahead > 0 && ahead <= kept.place) this.#readAhead.delete(text);
    if (kept.place <= ahead) return;
    this.#hand(text, kept);
    this.#parts.reader.onMessage(kept);
  }

  #hand(text: string, { place, frame }: KeptMessage): void {
    if (this.#handed.has(place)) return;
    this.#handed.set(place, { text, bytes: frame.length, isGone: false });
    this.#parts.budget.add(frame.length);
  }

  #read(message: StreamMessage): KeptMessage | undefined {
    const kept = readKept(message, takeoversAt(message.place, this.#parts.lost));
    if (kept !== undefined) return kept;
    this.#doubt(message.place);
    const { log, stream } = this.#parts;
    const kind = "A message in a stream of mail is none of Troupe's; it stays there";
    log.error(loggableText(`${kind}: ${message.place} in ${stream}`), undefined, kind);
    return undefined;
  }
}
