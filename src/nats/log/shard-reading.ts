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
import { ShardConsumer, type ShardConsumerParts } from "./shard-consumer.ts";

/** The parts of a `ShardReading`. */
export interface ShardReadingParts extends Omit<ShardConsumerParts, "onMessage" | "onFenced"> {
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
}

/**
 * The reading of one shard by one reader. Messages stay in the stream until they are settled: spilling and passing write nothing. What is
 * spilled is left out when the consumer comes to it, and read by its mailbox later.
 */
export class ShardReading {
  readonly #parts: ShardReadingParts;
  readonly #consumer: ShardConsumer;
  /** By place. */
  readonly #handed = new Map<number, Handed>();
  /** By the text of the mailbox. */
  readonly #spilled = new Map<string, Spilled>();
  /** Mailboxes that were read back to a place that the consumer has not come to, by their text. */
  readonly #readAhead = new Map<string, number>();
  #isOver = false;

  constructor(parts: ShardReadingParts) {
    this.#parts = parts;
    this.#consumer = new ShardConsumer({
      ...parts,
      onMessage: (message) => this.#take(message),
      onFenced: (error) => this.lose(error),
    });
  }

  get token(): number {
    return this.#parts.token;
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
    this.#spilled.delete(textOfName(mailbox));
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
    if (known !== undefined) known.until = known.from - 1;
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
    this.#handed.set(place, { text, bytes: frame.length });
    this.#parts.budget.add(frame.length);
  }

  #read(message: StreamMessage): KeptMessage | undefined {
    const kept = readKept(message, takeoversAt(message.place, this.#parts.lost));
    if (kept !== undefined) return kept;
    const { log, stream } = this.#parts;
    const kind = "A message in a stream of mail is none of Troupe's; it stays there";
    log.error(loggableText(`${kind}: ${message.place} in ${stream}`), undefined, kind);
    return undefined;
  }
}
