import type { Arrivals } from "../support/load/agents.ts";
import type { Note } from "../support/load/messages.ts";

interface Stream {
  last: number;
  lastMs: number;
}

/** Two ends' clocks and queues may differ by so much about what was before and after a cut. */
const slackMs = 2_000;

/** What became of all events; each is numbered by its publisher for each topic, so that a gap shows. */
export interface EventReport {
  /** Taken by `publishMessage`, times the readers of their topic; and what it refused with a typed error. */
  readonly expected: number;
  readonly refused: number;
  readonly delivered: number;
  /** Missing, where the publisher's or the reader's connection was cut meanwhile; and missing without such a reason. */
  readonly lostAtCuts: number;
  readonly unexplained: number;
  /** Came twice or late; the first of them in words. */
  readonly wrong: readonly string[];
}

/** Books every event from its publisher to each of its readers. */
export class EventBooks implements Arrivals {
  readonly #readers = new Map<string, Set<string>>();
  readonly #numbers = new Map<string, number>();
  readonly #streams = new Map<string, Stream>();
  /** When a worker's connection was cut last; workers are known by the first part of a publisher's or reader's name. */
  readonly #cuts = new Map<string, number>();
  readonly #wrong: string[] = [];
  readonly #waiting = new Set<() => void>();
  #expected = 0;
  #refused = 0;
  #delivered = 0;
  #lostAtCuts = 0;
  #unexplained = 0;

  /** `reader` is an agent id; from now on events on the topic are due to it. */
  addReader(topic: string, reader: string): void {
    const readers = this.#readers.get(topic) ?? new Set();
    this.#readers.set(topic, readers.add(reader));
  }

  /** The number of the publisher's next event on the topic. */
  next(publisher: string, topic: string): number {
    return (this.#numbers.get(`${publisher} ${topic}`) ?? 0) + 1;
  }

  published(publisher: string, topic: string): void {
    this.#numbers.set(`${publisher} ${topic}`, this.next(publisher, topic));
    this.#expected += this.#readers.get(topic)?.size ?? 0;
  }

  refused(): void {
    this.#refused++;
  }

  cut(worker: string): void {
    this.#cuts.set(worker, performance.now());
  }

  note(reader: string, topic: string, { publisher, number }: Note): void {
    const key = `${publisher} ${topic} ${reader}`;
    const stream = this.#streams.get(key) ?? { last: 0, lastMs: 0 };
    this.#streams.set(key, stream);
    if (number <= stream.last) this.#wrong.push(`${key}: ${number} came after ${stream.last}`);
    else this.#miss(number - stream.last - 1, stream, publisher, reader);
    stream.last = Math.max(stream.last, number);
    stream.lastMs = performance.now();
    this.#delivered++;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Forgets a reader that has gone, and its streams: whatever it has not had is booked now. */
  removeReader(topic: string, reader: string): void {
    this.#readers.get(topic)?.delete(reader);
    if (this.#readers.get(topic)?.size === 0) this.#readers.delete(topic);
    for (const [key, stream] of this.#streams) {
      const [publisher = "", itsTopic, itsReader] = key.split(" ");
      if (itsTopic !== topic || itsReader !== reader) continue;
      this.#miss((this.#numbers.get(`${publisher} ${topic}`) ?? 0) - stream.last, stream, publisher, reader);
      this.#streams.delete(key);
      this.#numbers.delete(`${publisher} ${topic}`);
    }
  }

  /** Forgets a publisher that has gone; its events have all arrived, or are missing now. */
  removePublisher(publisher: string, topic: string): void {
    for (const reader of this.#readers.get(topic) ?? []) {
      const key = `${publisher} ${topic} ${reader}`;
      const stream = this.#streams.get(key) ?? { last: 0, lastMs: 0 };
      this.#miss(this.next(publisher, topic) - 1 - stream.last, stream, publisher, reader);
      this.#streams.delete(key);
    }
    this.#numbers.delete(`${publisher} ${topic}`);
  }

  /** Whether the last event of each publisher on each topic has reached each reader: with a connection there, none is on its way. */
  get isSettled(): boolean {
    for (const [source, number] of this.#numbers) {
      const [, topic = ""] = source.split(" ");
      for (const reader of this.#readers.get(topic) ?? []) {
        if (this.#streams.get(`${source} ${reader}`)?.last !== number) return false;
      }
    }
    return true;
  }

  /** Whether a reader has had the publisher's last event. */
  hasLast(publisher: string, topic: string, reader: string): boolean {
    return this.#streams.get(`${publisher} ${topic} ${reader}`)?.last === this.next(publisher, topic) - 1;
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((wake) => this.#waiting.add(wake));
  }

  /** How many streams and numbers are kept: they end where they began. */
  get size(): number {
    return this.#streams.size + this.#numbers.size;
  }

  report(): EventReport {
    return {
      expected: this.#expected,
      refused: this.#refused,
      delivered: this.#delivered,
      lostAtCuts: this.#lostAtCuts,
      unexplained: this.#unexplained,
      wrong: this.#wrong.slice(0, 10),
    };
  }

  #miss(count: number, { lastMs }: Stream, publisher: string, reader: string): void {
    if (count <= 0) return;
    const workers = [publisher, reader].map((name) => name.split("/")[0] ?? name);
    const wasCut = workers.some((worker) => (this.#cuts.get(worker) ?? Number.NEGATIVE_INFINITY) >= lastMs - slackMs);
    if (wasCut) this.#lostAtCuts += count;
    else this.#unexplained += count;
  }
}
