import { type Clock, followAbort, type Timer, unfollowAbort } from "../../core/internal.ts";
import type { HostObserver, ListedHost } from "../../host/internal.ts";
import { HttpProblem } from "../../http/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRights } from "../admin-rights.ts";
import type { FeedFilter } from "./feed-event.ts";
import { FeedLog } from "./feed-log.ts";
import { FeedReader, type FeedWish, readerLimits, wishOf } from "./feed-reader.ts";
import { jsonFor, lostEvent, lostText, spread, textOf } from "./feed-text.ts";
import { FeedTurns } from "./feed-turns.ts";
import { OtherFeeds } from "./other-feeds.ts";

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
  /** Makes the id of one time of listening, and that of a reader at other hosts. */
  readonly makeId: () => string;
  /** This host and the others of its cluster, and their lists. */
  readonly hosts: AdminHost["hosts"];
  readonly rows: AdminHost["rows"];
}

export interface FeedQuery {
  readonly filter: FeedFilter;
  readonly rights: AdminRights;
  /** The id or the name of the only host of the cluster that the reader wants. Undefined: all. */
  readonly host?: string | undefined;
  /** Whether the reader wants to read what messages say. Other hosts do not tell it. */
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
  /** The values of `toldFor` of readers for which other hosts are followed. */
  readonly followed: Set<string>;
  readonly end: () => void;
}

/**
 * Tells what happens at the hosts of a cluster, or at a host that is alone, as server-sent events. It listens while there is a reader, and 30 s longer. All readers share the events that are
 * kept, so that a slow one costs no memory: it loses the oldest, and is told how many. Of a host under load a reader gets some events of each moment, and is
 * told of the others. Nothing is made of those, nor of what no reader wants.
 */
export class LiveFeed {
  readonly #parts: LiveFeedParts;
  readonly #share = new FairShare(feedLimits.readers);
  readonly #waiting = new Set<() => void>();
  readonly #turns = new FeedTurns();
  readonly #others: OtherFeeds;
  /** Requests so far: each has another place in the spread of times. */
  #asked = 0;
  #listening: Listening | undefined;
  /** Readers that want to read what messages say. */
  #payloadReaders = 0;
  /** This host in its present life. Null: it is alone. */
  #here: ListedHost | null = null;
  #linger: Timer | undefined;
  #gathering: Timer | undefined;

  constructor(parts: LiveFeedParts) {
    this.#parts = parts;
    this.#others = new OtherFeeds(parts);
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

  /** Begins to read. Throws a problem if there are too many readers, and `not-found` for a host that is not up. */
  open(query: FeedQuery): AsyncIterable<string> {
    const { signal, lastEventId } = query;
    signal.throwIfAborted();
    const wish = wishOf(query, this.#parts.hosts());
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
    const { reader, hasMissed } = this.#readerFor(wish, listening, place !== undefined);
    this.#follow(query, wish, listening);
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
    this.#others.close();
  }

  /** Follows the other hosts for a reader, unless they are followed for one that is like it. */
  #follow({ filter, rights, host }: FeedQuery, { toldFor }: FeedWish, listening: Listening): void {
    const { log, readers, followed } = listening;
    if (toldFor === undefined || followed.has(toldFor)) return;
    followed.add(toldFor);
    const { clock } = this.#parts;
    const wanting = (): readonly FeedReader[] => readers.filter((reader) => reader.toldFor === toldFor);
    this.#others.follow(
      { filter, rights, host },
      {
        isWanted: () => {
          const nowMs = clock.now();
          const isHere = ({ leftMs }: FeedReader): boolean =>
            leftMs === undefined || nowMs - leftMs < feedLimits.lingerMs;
          if (this.#listening === listening && wanting().some(isHere)) return true;
          followed.delete(toldFor);
          // One of them that comes back later has missed something.
          for (const reader of wanting()) readers.splice(readers.indexOf(reader), 1);
          return false;
        },
        onRows: (rows) => {
          this.#gather(readers);
          const takers = wanting();
          for (const { number: _number, ...event } of rows) {
            const short = takers.filter((reader) => !reader.takeOne());
            if (short.length < takers.length) log.addTold(event, toldFor);
            else for (const reader of short) reader.isShort();
          }
        },
        onLost: (count) => {
          for (const reader of wanting()) {
            if (count === null) reader.note(lostEvent(null));
            else reader.lost += count;
          }
          this.#gather(readers);
        },
        onUnanswered: ({ hostId, name }, problem) => {
          const data = JSON.stringify({ hostId, name, problem });
          for (const reader of wanting()) reader.note(`event: unanswered\ndata: ${data}\n\n`);
          this.#gather(readers);
        },
      },
    );
  }

  #listen(): Listening {
    const { clock, observe, makeId, payloads } = this.#parts;
    const log = new FeedLog(feedLimits.bytes);
    const readers: FeedReader[] = [];
    // Its places are used again: of a busy host nearly all that happens finds each reader short.
    const short: (FeedReader | undefined)[] = [];
    const end = observe((what) => {
      this.#gather(readers);
      let [isKept, shortCount] = [false, 0];
      for (const reader of readers) {
        if (!reader.wants(what)) continue;
        if (reader.takeOne()) isKept = true;
        else {
          short[shortCount] = reader;
          shortCount += 1;
        }
      }
      if (isKept) return log.add(what, new Date(clock.wallNow()).toISOString(), textOf(payloads.of(what)), this.#here);
      log.skip();
      for (let at = 0; at < shortCount; at += 1) short[at]?.isShort();
    });
    const listening: Listening = { id: makeId(), log, readers, followed: new Set(), end };
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
    if (this.#gathering !== undefined) return;
    const { clock, hosts } = this.#parts;
    this.#here = hosts().here;
    const nowMs = clock.now();
    for (const reader of readers) reader.refill(nowMs);
    this.#gathering = clock.setTimer(feedLimits.gatherMs, () => this.#wake());
  }

  /** Finds the reader that has left and comes back, or makes one. `hasMissed`: nothing was kept for it meanwhile. */
  #readerFor(
    wish: FeedWish,
    { readers }: Listening,
    comesBack: boolean,
  ): { readonly reader: FeedReader; readonly hasMissed: boolean } {
    const known = comesBack ? readers.find((one) => one.leftMs !== undefined && one.isLike(wish)) : undefined;
    if (known !== undefined) {
      known.leftMs = undefined;
      return { reader: known, hasMissed: false };
    }
    // The same may have been kept for another one that is here.
    const isKept = readers.some((one) => one.isLike(wish));
    const nowMs = this.#parts.clock.now();
    const forgotten = readers.findIndex(({ leftMs }) => leftMs !== undefined && nowMs - leftMs >= feedLimits.lingerMs);
    if (forgotten >= 0) readers.splice(forgotten, 1);
    if (readers.length >= feedLimits.readers + feedLimits.absentReaders)
      readers.splice(
        readers.findIndex(({ leftMs }) => leftMs !== undefined),
        1,
      );
    const reader = new FeedReader(wish, nowMs);
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
      for (const note of reader.notes.splice(0)) yield `id: ${id}-${place - 1}\n${note}`;
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
    if (!reader.takesFrom(entry) || !reader.gets(event)) continue;
    const json = jsonFor(entry, query);
    if (json !== entry.json) contents += 1;
    text += `id: ${id}-${number}\nevent: ${event.kind}\ndata: ${json}\n\n`;
  }
  return { text, next: log.next, seen, contents };
}

function partyOf({ rights: { principal } }: FeedQuery): string {
  return principal === undefined ? "operator" : `principal ${principal.name}`;
}

/** The place behind the event with an id. Undefined: the reader is new, or the id is of another time of listening. */
function placeAfter(eventId: string | undefined, { id, log }: Listening): number | undefined {
  const [, listening, digits] = /^(.{1,100})-(\d{1,15})$/.exec(eventId ?? "") ?? [];
  const place = Number(digits) + 1;
  return listening === id && place <= log.next ? place : undefined;
}
