import type { DeliveryAcknowledgements } from "../support/load/agents.ts";
import type { Note } from "../support/load/messages.ts";
import { Cutoffs } from "./cutoffs.ts";

interface Stream {
  /** The number of the last event that came, and when it was published. */
  last: number;
  publishedMs: number;
}

/** A publisher's events on one topic. */
interface Source {
  count: number;
  /** When each was published that a reader may still wait for; the first of them has this number. */
  firstNumber: number;
  publishedMs: number[];
}

/** What became of all events; each is numbered by its publisher for each topic, so that a gap shows. */
export interface EventReport {
  /** Taken by `publishMessage`, times the readers of their topic; and what it refused with a typed error. */
  readonly expected: number;
  readonly refused: number;
  readonly delivered: number;
  /** Missing, and under way while the publisher or the reader was cut off: by the worker, those it sent and those due to it. */
  readonly lostAtCuts: number;
  readonly lostBy: Readonly<Record<string, { readonly sent: number; readonly due: number }>>;
  /** Missing without such a reason. */
  readonly unexplained: number;
  /** Came twice or late; the first of them in words. */
  readonly wrong: readonly string[];
}

/** Books every event from its publisher to each of its readers. */
export class EventBooks implements DeliveryAcknowledgements {
  readonly #nowMs: () => number;
  readonly #readers = new Map<string, Set<string>>();
  readonly #sources = new Map<string, Source>();
  readonly #streams = new Map<string, Stream>();
  readonly #cutoffs: Cutoffs;
  readonly #wrong: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #lostBy: Record<string, { sent: number; due: number }> = {};
  #expected = 0;
  #refused = 0;
  #delivered = 0;
  #lostAtCuts = 0;
  #unexplained = 0;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#cutoffs = new Cutoffs(nowMs);
  }

  /** `reader` is an agent id; from now on events on the topic are due to it. */
  addReader(topic: string, reader: string): void {
    const readers = this.#readers.get(topic) ?? new Set();
    this.#readers.set(topic, readers.add(reader));
  }

  /** The number of the event that the publisher publishes on the topic now. */
  next(publisher: string, topic: string): number {
    const key = `${publisher} ${topic}`;
    const source = this.#sources.get(key) ?? { count: 0, firstNumber: 1, publishedMs: [] };
    this.#sources.set(key, source);
    // One that was refused before is the next one again.
    source.publishedMs[source.count + 1 - source.firstNumber] = this.#nowMs();
    return source.count + 1;
  }

  published(publisher: string, topic: string): void {
    const source = this.#sources.get(`${publisher} ${topic}`);
    if (source !== undefined) source.count++;
    this.#expected += this.#readers.get(topic)?.size ?? 0;
  }

  refused(): void {
    this.#refused++;
  }

  /** A worker's connection is cut; and it is back, with all that it had registered. */
  cut(worker: string): void {
    this.#cutoffs.begin(worker);
  }

  back(worker: string): void {
    this.#cutoffs.end(worker);
  }

  note(reader: string, topic: string, { publisher, number }: Note): void {
    const stream = this.#stream(publisher, topic, reader);
    if (number <= stream.last) {
      this.#wrong.push(`${publisher} ${topic} ${reader}: ${number} came after ${stream.last}`);
    } else {
      this.#miss(publisher, topic, reader, number - 1);
      stream.last = number;
      stream.publishedMs = this.#publishedMs(publisher, topic, number);
    }
    this.#delivered++;
    this.#forgetTimes(publisher, topic);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Whether a reader has had an event that was published since then, by anybody. */
  hasHadSince(reader: string, sinceMs: number): boolean {
    return [...this.#streams].some(([key, stream]) => key.endsWith(` ${reader}`) && stream.publishedMs >= sinceMs);
  }

  /** Forgets a reader that has gone, and its streams: whatever it has not had is booked now. */
  removeReader(topic: string, reader: string): void {
    for (const key of [...this.#sources.keys()]) {
      const [publisher = "", itsTopic] = key.split(" ");
      if (itsTopic !== topic) continue;
      this.#miss(publisher, topic, reader, this.#count(publisher, topic));
      this.#streams.delete(`${publisher} ${topic} ${reader}`);
      this.#sources.delete(key);
    }
    this.#readers.get(topic)?.delete(reader);
    if (this.#readers.get(topic)?.size === 0) this.#readers.delete(topic);
  }

  /** Forgets a publisher that has gone; its events have all arrived, or are missing now. */
  removePublisher(publisher: string, topic: string): void {
    for (const reader of this.#readers.get(topic) ?? []) {
      this.#miss(publisher, topic, reader, this.#count(publisher, topic));
      this.#streams.delete(`${publisher} ${topic} ${reader}`);
    }
    this.#sources.delete(`${publisher} ${topic}`);
  }

  /** Whether the last event of each publisher on each topic has reached each reader: with a connection there, none is on its way. */
  get isSettled(): boolean {
    return [...this.#sources].every(([key, { count }]) => {
      const [publisher = "", topic = ""] = key.split(" ");
      const readers = [...(this.#readers.get(topic) ?? [])];
      return count === 0 || readers.every((reader) => this.hasLast(publisher, topic, reader));
    });
  }

  /** Whether a reader has had the publisher's last event. */
  hasLast(publisher: string, topic: string, reader: string): boolean {
    const last = this.#streams.get(`${publisher} ${topic} ${reader}`)?.last ?? 0;
    return last >= this.#count(publisher, topic);
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((wake) => this.#waiting.add(wake));
  }

  /** How many streams and sources are kept: they end where they began. */
  get size(): number {
    return this.#streams.size + this.#sources.size;
  }

  report(): EventReport {
    return {
      expected: this.#expected,
      refused: this.#refused,
      delivered: this.#delivered,
      lostAtCuts: this.#lostAtCuts,
      lostBy: structuredClone(this.#lostBy),
      unexplained: this.#unexplained,
      wrong: this.#wrong.slice(0, 10),
    };
  }

  #stream(publisher: string, topic: string, reader: string): Stream {
    const key = `${publisher} ${topic} ${reader}`;
    const stream = this.#streams.get(key) ?? { last: 0, publishedMs: 0 };
    this.#streams.set(key, stream);
    return stream;
  }

  #count(publisher: string, topic: string): number {
    return this.#sources.get(`${publisher} ${topic}`)?.count ?? 0;
  }

  #publishedMs(publisher: string, topic: string, number: number): number {
    const source = this.#sources.get(`${publisher} ${topic}`);
    return source?.publishedMs[number - source.firstNumber] ?? this.#nowMs();
  }

  /** Books as missing what the reader has not had up to a number. */
  #miss(publisher: string, topic: string, reader: string, upTo: number): void {
    const [from = "", to = ""] = [publisher, reader].map((name) => name.split("/")[0]);
    for (let number = this.#stream(publisher, topic, reader).last + 1; number <= upTo; number++) {
      const atMs = this.#publishedMs(publisher, topic, number);
      const isSent = this.#cutoffs.excuse(from, atMs);
      if (isSent || this.#cutoffs.excuse(to, atMs)) {
        const worker = isSent ? from : to;
        const lost = this.#lostBy[worker] ?? { sent: 0, due: 0 };
        this.#lostBy[worker] = lost;
        lost[isSent ? "sent" : "due"]++;
        this.#lostAtCuts++;
      } else this.#unexplained++;
    }
  }

  /** Of events that all readers have had, or have missed, the time is of no interest. */
  #forgetTimes(publisher: string, topic: string): void {
    const source = this.#sources.get(`${publisher} ${topic}`);
    if (source === undefined) return;
    const readers = [...(this.#readers.get(topic) ?? [])];
    const lasts = readers.map((reader) => this.#streams.get(`${publisher} ${topic} ${reader}`)?.last ?? 0);
    const done = Math.min(...lasts) + 1 - source.firstNumber;
    if (done < 100 || !Number.isFinite(done)) return;
    source.publishedMs = source.publishedMs.slice(done);
    source.firstNumber += done;
  }
}
