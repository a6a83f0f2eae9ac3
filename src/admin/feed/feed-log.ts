import type { HostOccurrence, ListedHost } from "../../host/internal.ts";
import { type FeedEvent, feedEventOf, isForwarded } from "./feed-event.ts";

/** An occurrence that is kept, and its text as readers get it. */
export interface FeedEntry {
  readonly number: number;
  readonly event: FeedEvent;
  readonly json: string;
  /** The content of its message as JSON, for those who may read it. Empty: there is none. */
  payload: string;
  /** Names the readers for which another host has told it. Undefined: it is of this host. */
  readonly toldFor: string | undefined;
  /** A call that came from another host, which tells of it, too. */
  readonly isForwarded: boolean;
}

/** Bytes of an entry beside its text, which it has twice. */
const fixedBytes = 400;

/** The last occurrences of a host that readers want, within a bound of bytes. All have numbers; the oldest are forgotten first. */
export class FeedLog {
  readonly #maxBytes: number;
  #entries: FeedEntry[] = [];
  /** Where the oldest stands: those before it are forgotten. */
  #at = 0;
  #bytes = 0;
  #next: number;
  /** The number of the newest that was forgotten. */
  #forgotten: number;

  /** `first`: the number of the first one. */
  constructor(maxBytes: number, first = 1) {
    this.#maxBytes = maxBytes;
    this.#next = first;
    this.#forgotten = first - 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The number of the first of which it is known whether a reader wants it, and that of the next to come. */
  get first(): number {
    return this.#forgotten + 1;
  }

  get next(): number {
    return this.#next;
  }

  /** An occurrence that no reader gets. */
  skip(): void {
    this.#next += 1;
  }

  /** `host`: this host. Null: it is alone. */
  add(what: HostOccurrence, time: string, payload: string, host: ListedHost | null = null): void {
    this.#add(feedEventOf(what, time, host), { payload, toldFor: undefined, isForwarded: isForwarded(what) });
  }

  /** Adds what another host tells for some readers. */
  addTold(event: FeedEvent, toldFor: string): void {
    this.#add(event, { payload: "", toldFor, isForwarded: false });
  }

  #add(event: FeedEvent, about: Pick<FeedEntry, "payload" | "toldFor" | "isForwarded">): void {
    const entry = { number: this.#next, event, json: JSON.stringify(event), ...about };
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

  /** Whether there is an entry with this number or a later one. */
  hasFrom(number: number): boolean {
    return (this.#entries.at(-1)?.number ?? 0) >= number;
  }

  /** The entries from this number on. */
  *from(number: number): Iterable<FeedEntry> {
    let [low, high] = [this.#at, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.number ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.#entries.length; at += 1) {
      const entry = this.#entries[at];
      if (entry !== undefined) yield entry;
    }
  }

  #forgetOne(): void {
    const oldest = this.#entries[this.#at];
    if (oldest === undefined) return;
    this.#bytes -= costOf(oldest);
    this.#forgotten = oldest.number;
    this.#at += 1;
    if (2 * this.#at <= this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#at);
    this.#at = 0;
  }
}

function costOf({ json, payload }: FeedEntry): number {
  return fixedBytes + 4 * json.length + 2 * payload.length;
}
