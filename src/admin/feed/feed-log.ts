import type { FeedEvent } from "./feed-event.ts";

/** An event, and its text as readers get it. */
export interface FeedEntry {
  readonly number: number;
  readonly event: FeedEvent;
  readonly json: string;
  /** The content of its message as JSON, for those who may read it. Empty: there is none. */
  payload: string;
}

/** Bytes of an entry beside its text, which it has twice. */
const fixedBytes = 400;

/** The last events of a feed, within a bound of bytes. The oldest are forgotten first. */
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

  add(event: FeedEvent, payload = ""): void {
    const entry = { number: this.#next, event, json: JSON.stringify(event), payload };
    this.#next += 1;
    this.#entries.push(entry);
    this.#bytes += costOf(entry);
    while (this.#bytes > this.#maxBytes) this.#forgetOne();
  }

  /** Forgets the contents of messages. */
  forgetPayloads(): void {
    for (const entry of this.#entries.slice(this.#at)) {
      this.#bytes -= costOf(entry);
      entry.payload = "";
      this.#bytes += costOf(entry);
    }
  }

  /** An entry that is kept. Undefined: it is forgotten, or still to come. */
  get(number: number): FeedEntry | undefined {
    return this.#entries[this.#at + number - this.first];
  }

  #forgetOne(): void {
    const oldest = this.#entries[this.#at];
    if (oldest === undefined) return;
    this.#bytes -= costOf(oldest);
    this.#at += 1;
    if (2 * this.#at <= this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#at);
    this.#at = 0;
  }
}

function costOf({ json, payload }: FeedEntry): number {
  return fixedBytes + 4 * json.length + 2 * payload.length;
}
