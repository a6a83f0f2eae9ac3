import type { HostOccurrence } from "../../host/internal.ts";
import { type FeedEvent, feedEventOf } from "./feed-event.ts";

/** An occurrence of a host in the feed. What readers get of it is made when the first one gets it. */
export class FeedEntry {
  readonly number: number;
  readonly what: HostOccurrence;
  readonly #wallMs: number;
  #event: FeedEvent | undefined;
  #json: string | undefined;

  constructor(number: number, what: HostOccurrence, wallMs: number) {
    this.number = number;
    this.what = what;
    this.#wallMs = wallMs;
  }

  get event(): FeedEvent {
    this.#event ??= feedEventOf(this.what, new Date(this.#wallMs).toISOString());
    return this.#event;
  }

  /** The text that readers get. */
  get json(): string {
    this.#json ??= JSON.stringify(this.event);
    return this.#json;
  }

  /** Bytes that it may have at most, with what readers get of it. */
  get cost(): number {
    const { what } = this;
    // Of the most frequent ones nothing is made before a reader wants them. Each text is there three times, and may be escaped once.
    if (what.at === "call")
      return fixedBytes + bytesOfText * (what.targetType.length + what.targetKey.length + what.callerId.length);
    if (what.at === "event") return fixedBytes + bytesOfText * what.topicType.length;
    return fixedBytes + 4 * this.json.length;
  }
}

/** Bytes of an entry beside the texts of its occurrence, and of a character of these. */
const fixedBytes = 1_200;
const bytesOfText = 10;

/** The last occurrences of a feed, within a bound of bytes. The oldest are forgotten first. */
export class FeedLog {
  readonly #maxBytes: number;
  #entries: FeedEntry[] = [];
  /** Where the oldest stands: those before it are forgotten. */
  #at = 0;
  #bytes = 0;
  #next = 1;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The number of the oldest that is kept, and that of the next to come. */
  get first(): number {
    return this.#entries[this.#at]?.number ?? this.#next;
  }

  get next(): number {
    return this.#next;
  }

  add(what: HostOccurrence, wallMs: number): void {
    const entry = new FeedEntry(this.#next, what, wallMs);
    this.#next += 1;
    this.#entries.push(entry);
    this.#bytes += entry.cost;
    while (this.#bytes > this.#maxBytes) this.#forgetOne();
  }

  /** An entry that is kept. Undefined: it is forgotten, or still to come. */
  get(number: number): FeedEntry | undefined {
    return this.#entries[this.#at + number - this.first];
  }

  #forgetOne(): void {
    const oldest = this.#entries[this.#at];
    if (oldest === undefined) return;
    this.#bytes -= oldest.cost;
    this.#at += 1;
    if (2 * this.#at <= this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#at);
    this.#at = 0;
  }
}
