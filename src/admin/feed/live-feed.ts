import { type Clock, followAbort, type Timer, unfollowAbort } from "../../core/internal.ts";
import type { HostObserver, ShownPayload } from "../../host/internal.ts";
import { HttpProblem } from "../../http/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRights } from "../admin-rights.ts";
import { type FeedFilter, mayRead } from "./feed-event.ts";
import { type FeedEntry, FeedLog } from "./feed-log.ts";
import { FeedReader, readerLimits } from "./feed-reader.ts";
import { FeedTurns } from "./feed-turns.ts";

/** Bounds of a feed. They are no options, because no user has needed another value yet. */
export const feedLimits = {
  /** Bytes of the events that are kept for all readers together. */
  bytes: 4 * 1024 * 1024,
  /** Readers at once; those of one principal have two thirds. */
  readers: 24,
  /** Characters that one write takes, and events that are looked at for it. */
  chunkChars: 32 * 1024,
  turnEvents: 2_000,
  /** Milliseconds from an event to the write that has it. */
  gatherMs: 20,
  /** Milliseconds between two signs of life. */
  quietMs: 15_000,
  /** Milliseconds for which events are kept after the last reader has left, so that it may come back. */
  lingerMs: 30_000,
  /** Milliseconds after which a browser comes back: at least these, and up to twice as many, spread over the readers. */
  retryMs: 2_000,
  /** Seconds after which one without a place may ask again, and over how many more they are spread. */
  refusedSeconds: 2,
  refusedSpread: 8,
  /** Readers that have left, for which the feed still keeps what they want. The oldest are forgotten first. */
  absentReaders: 24,
} as const;

export interface LiveFeedParts {
  readonly clock: Clock;
  /** Tells an observer what happens from now on. Returns what ends that. */
  readonly observe: (observer: HostObserver) => () => void;
  /** Reads what messages say, while a reader wants it. */
  readonly payloads: AdminHost["payloads"];
  /** Called when a reader gets the contents of messages. `count`: how many. */
  readonly onContents: (reader: AdminRights, count: number) => void;
  /** Makes the id of one time of listening. */
  readonly makeId: () => string;
}

export interface FeedQuery {
  readonly filter: FeedFilter;
  readonly rights: AdminRights;
  /** Whether the reader wants to read what messages say. */
  readonly withPayloads: boolean;
  /** The last event that the reader has got. Undefined: it is new. */
  readonly lastEventId: string | undefined;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

/** One time of listening to the host: numbers of events hold within it. */
interface Listening {
  readonly id: string;
  readonly log: FeedLog;
  /** Those that are here, and those that may come back. */
  readonly readers: FeedReader[];
  readonly end: () => void;
}

/**
 * Tells what happens at a host, as server-sent events. It listens to the host while there is a reader, and 30 s longer. All readers share the events that are
 * kept, so that a slow one costs no memory: it loses the oldest, and is told how many. Of a host under load a reader gets some events of each moment, and is
 * told of the others. Nothing is made of those, nor of what no reader wants.
 */
export class LiveFeed {
  readonly #parts: LiveFeedParts;
  readonly #share = new FairShare(feedLimits.readers);
  readonly #waiting = new Set<() => void>();
  readonly #turns = new FeedTurns();
  /** Requests so far: each has another place in the spread of times. */
  #asked = 0;
  #listening: Listening | undefined;
  /** Readers that want to read what messages say. */
  #payloadReaders = 0;
  #linger: Timer | undefined;
  #gathering: Timer | undefined;

  constructor(parts: LiveFeedParts) {
    this.#parts = parts;
  }

  get readers(): number {
    return this.#share.size;
  }

  get isListening(): boolean {
    return this.#listening !== undefined;
  }

  /** Bytes of the events that are kept. */
  get bytes(): number {
    return this.#listening?.log.bytes ?? 0;
  }

  /** Begins to read. Throws a problem if there are too many readers. */
  open(query: FeedQuery): AsyncIterable<string> {
    const { signal, lastEventId } = query;
    signal.throwIfAborted();
    const party = partyOf(query);
    this.#asked += 1;
    if (!this.#share.mayAdd(party)) {
      const text = `The feed has ${feedLimits.readers} readers at most, and one principal two thirds. End others, or try again later.`;
      // Who has no place to read has none for a connection either.
      const seconds = feedLimits.refusedSeconds + Math.floor(spread(this.#asked) * feedLimits.refusedSpread);
      throw new HttpProblem(503, "overloaded", text, { closes: true, headers: { "retry-after": String(seconds) } });
    }
    this.#share.add(party);
    if (query.withPayloads) this.#watchPayloads(signal);
    this.#linger?.cancel();
    const known = this.#listening;
    const listening = known ?? this.#listen();
    const place = placeAfter(lastEventId, listening);
    const { reader, hasMissed } = this.#readerFor(query, listening, place !== undefined);
    signal.addEventListener("abort", () => this.#left(party, reader), { once: true });
    const from = hasMissed ? undefined : place;
    return this.#read(query, { listening, reader, start: from ?? listening.log.next, isUnknown: from === undefined });
  }

  /** Ends the listening. Readers end with their requests. */
  close(): void {
    this.#linger?.cancel();
    this.#gathering?.cancel();
    this.#listening?.end();
    this.#listening = undefined;
  }

  #listen(): Listening {
    const { clock, observe, makeId, payloads } = this.#parts;
    const log = new FeedLog(feedLimits.bytes);
    const readers: FeedReader[] = [];
    // Its places are used again: of a busy host nearly all that happens finds each reader short.
    const short: (FeedReader | undefined)[] = [];
    const end = observe((what) => {
      if (this.#gathering === undefined) this.#gather(readers);
      let [isKept, shortCount] = [false, 0];
      for (const reader of readers) {
        if (!reader.wants(what)) continue;
        if (reader.takeOne()) isKept = true;
        else {
          short[shortCount] = reader;
          shortCount += 1;
        }
      }
      if (isKept) return log.add(what, new Date(clock.wallNow()).toISOString(), textOf(payloads.of(what)));
      log.skip();
      for (let at = 0; at < shortCount; at += 1) short[at]?.isShort();
    });
    const listening: Listening = { id: makeId(), log, readers, end };
    this.#listening = listening;
    return listening;
  }

  /** Contents are read and kept while a reader wants them, and no longer: they do not wait for its return. */
  #watchPayloads(signal: AbortSignal): void {
    const end = this.#parts.payloads.watch();
    this.#payloadReaders += 1;
    const left = (): void => {
      end();
      this.#payloadReaders -= 1;
      if (this.#payloadReaders === 0) this.#listening?.log.forgetPayloads();
    };
    signal.addEventListener("abort", left, { once: true });
  }

  /** Collects what happens for a moment. */
  #gather(readers: readonly FeedReader[]): void {
    const { clock } = this.#parts;
    const nowMs = clock.now();
    for (const reader of readers) reader.refill(nowMs);
    this.#gathering = clock.setTimer(feedLimits.gatherMs, () => this.#wake());
  }

  /** Finds the reader that has left and comes back, or makes one. `hasMissed`: nothing was kept for it meanwhile. */
  #readerFor(
    query: FeedQuery,
    { readers }: Listening,
    comesBack: boolean,
  ): { readonly reader: FeedReader; readonly hasMissed: boolean } {
    const known = comesBack ? readers.find((one) => one.leftMs !== undefined && one.isLike(query)) : undefined;
    if (known !== undefined) {
      known.leftMs = undefined;
      return { reader: known, hasMissed: false };
    }
    // The same may have been kept for another one that is here.
    const isKept = readers.some((one) => one.isLike(query));
    const nowMs = this.#parts.clock.now();
    const forgotten = readers.findIndex(({ leftMs }) => leftMs !== undefined && nowMs - leftMs >= feedLimits.lingerMs);
    if (forgotten >= 0) readers.splice(forgotten, 1);
    if (readers.length >= feedLimits.readers + feedLimits.absentReaders)
      readers.splice(
        readers.findIndex(({ leftMs }) => leftMs !== undefined),
        1,
      );
    const reader = new FeedReader(query, nowMs);
    readers.push(reader);
    return { reader, hasMissed: comesBack && !isKept };
  }

  #wake(): void {
    this.#gathering = undefined;
    for (const wake of [...this.#waiting]) wake();
  }

  #left(party: string, reader: FeedReader): void {
    this.#share.remove(party);
    reader.leftMs = this.#parts.clock.now();
    if (this.#share.size > 0) return;
    this.#linger = this.#parts.clock.setTimer(feedLimits.lingerMs, () => this.close(), { keepAlive: false });
  }

  async *#read(
    query: FeedQuery,
    {
      listening: { id, log },
      reader,
      start,
      isUnknown,
    }: {
      readonly listening: Listening;
      readonly reader: FeedReader;
      readonly start: number;
      readonly isUnknown: boolean;
    },
  ): AsyncIterable<string> {
    const { signal } = query;
    let place = start;
    const party = partyOf(query);
    yield `retry: ${Math.round(feedLimits.retryMs * (1 + spread(this.#asked)))}\n\n`;
    if (isUnknown && query.lastEventId !== undefined) yield lostText(`${id}-${place - 1}`, null);
    while (!signal.aborted) {
      await this.#turns.enter(party);
      if (place < log.first) {
        reader.lost += log.first - place;
        place = log.first;
      }
      const { text, next } = this.#gathered(log, place, { reader, query, id });
      const lost = this.#lostOf(reader);
      if (lost > 0) yield lostText(`${id}-${place - 1}`, lost);
      place = next;
      if (text !== "") yield text;
      else if (log.hasFrom(place)) await this.#turn(signal);
      else if (!(await this.#more(signal, reader)) && reader.lost === 0) yield `: quiet\nid: ${id}-${place - 1}\n\n`;
    }
  }

  /** Looks at events in the turn of the reader, which ends even if the rules throw. */
  #gathered(log: FeedLog, place: number, about: Parameters<typeof gathered>[2]): ReturnType<typeof gathered> {
    let [seen, chars] = [0, 0];
    try {
      const chunk = gathered(log, place, about);
      [seen, chars] = [chunk.seen, chunk.text.length];
      this.#parts.onContents(about.query.rights, chunk.contents);
      return chunk;
    } finally {
      this.#turns.spend(seen, chars);
    }
  }

  /** How many lost occurrences the reader is to be told of now. It is told once in a while. */
  #lostOf(reader: FeedReader): number {
    const nowMs = this.#parts.clock.now();
    const { lost } = reader;
    if (lost === 0 || nowMs - reader.toldMs < readerLimits.lostMs) return 0;
    reader.toldMs = nowMs;
    reader.lost = 0;
    return lost;
  }

  /** Lets other work have its turn. */
  async #turn(signal: AbortSignal): Promise<void> {
    await this.#wait(0, signal);
  }

  /** Resolves to whether there may be more; false: it was quiet for long, or there are lost ones to tell. */
  #more(signal: AbortSignal, { lost }: FeedReader): Promise<boolean> {
    return this.#wait(lost > 0 ? readerLimits.lostMs : feedLimits.quietMs, signal);
  }

  #wait(ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (isWoken: boolean): void => {
        timer.cancel();
        this.#waiting.delete(wake);
        unfollowAbort(signal, wake);
        resolve(isWoken);
      };
      const wake = (): void => done(true);
      const timer = this.#parts.clock.setTimer(ms, () => done(false), { keepAlive: false });
      this.#waiting.add(wake);
      followAbort(signal, wake);
    });
  }
}

/** Collects what a reader gets from a place on. */
function gathered(
  log: FeedLog,
  place: number,
  { reader, query, id }: { readonly reader: FeedReader; readonly query: FeedQuery; readonly id: string },
): { readonly text: string; readonly next: number; readonly seen: number; readonly contents: number } {
  let [text, seen, contents] = ["", 0, 0];
  for (const entry of log.from(place)) {
    const { number, event } = entry;
    if (text.length >= feedLimits.chunkChars || seen >= feedLimits.turnEvents)
      return { text, next: number, seen, contents };
    seen += 1;
    if (!reader.gets(event)) continue;
    const json = jsonFor(entry, query);
    if (json !== entry.json) contents += 1;
    text += `id: ${id}-${number}\nevent: ${event.kind}\ndata: ${json}\n\n`;
  }
  return { text, next: log.next, seen, contents };
}

function partyOf({ rights: { principal } }: FeedQuery): string {
  return principal === undefined ? "operator" : `principal ${principal.name}`;
}

/** A number from 0 to 1, far from those of the numbers before: parts of the golden section. So readers that left at once do not come back at once. */
function spread(number: number): number {
  return (number * 0.618_033_988_749_895) % 1;
}

/** The JSON of a content. Empty: there is none. */
function textOf(payload: ShownPayload | undefined): string {
  return payload === undefined ? "" : JSON.stringify(payload);
}

/** The JSON of an event for one reader. */
function jsonFor({ event, json, payload }: FeedEntry, { withPayloads, rights }: FeedQuery): string {
  if (payload === "" || !withPayloads || !mayRead(event, rights)) return json;
  return `${json.slice(0, -1)},"payload":${payload}}`;
}

/** `count`: occurrences of the host. Null: how many is not known. */
function lostText(id: string, count: number | null): string {
  return `id: ${id}\nevent: lost\ndata: ${JSON.stringify({ count })}\n\n`;
}

/** The place behind the event with an id. Undefined: the reader is new, or the id is of another time of listening. */
function placeAfter(eventId: string | undefined, { id, log }: Listening): number | undefined {
  const [, listening, digits] = /^(.{1,100})-(\d{1,15})$/.exec(eventId ?? "") ?? [];
  const place = Number(digits) + 1;
  return listening === id && place <= log.next ? place : undefined;
}
