import { type Clock, followAbort, type Timer, unfollowAbort } from "../../core/internal.ts";
import type { HostObserver } from "../../host/internal.ts";
import { HttpProblem } from "../../http/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import type { AdminRights } from "../admin-rights.ts";
import { type FeedFilter, isWanted, maySee, subjectOf } from "./feed-event.ts";
import { type FeedEntry, FeedLog } from "./feed-log.ts";

/** Bounds of a feed. They are no options, because no user has needed another value yet. */
export const feedLimits = {
  /** Bytes of the events that are kept for all readers together. */
  bytes: 4 * 1024 * 1024,
  /** Readers at once; those of one principal have two thirds. */
  readers: 24,
  /** Characters that one write takes, and events that one turn looks at. */
  chunkChars: 32 * 1024,
  turnEvents: 2_000,
  /** Milliseconds from an event to the write that has it. */
  gatherMs: 20,
  /**
   * Events that one reader may have in a second, and those that it may have at once. When fewer than `fewEvents` of these are left, it gets the newest ones
   * every `sampleMs`, and is told how many it has lost.
   */
  eventsPerSecond: 2_000,
  eventsAtOnce: 4_000,
  fewEvents: 250,
  sampleMs: 250,
  /** Milliseconds between two signs of life. */
  quietMs: 15_000,
  /** Milliseconds for which events are kept after the last reader has left, so that it may come back. */
  lingerMs: 30_000,
  /** Milliseconds after which a browser comes back. */
  retryMs: 2_000,
} as const;

export interface LiveFeedParts {
  readonly clock: Clock;
  /** Tells an observer what happens from now on. Returns what ends that. */
  readonly observe: (observer: HostObserver) => () => void;
  /** Makes the id of one time of listening. */
  readonly makeId: () => string;
}

export interface FeedQuery {
  readonly filter: FeedFilter;
  readonly rights: AdminRights;
  /** The last event that the reader has got. Undefined: it is new. */
  readonly lastEventId: string | undefined;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

/** One time of listening to the host: numbers of events hold within it. */
interface Listening {
  readonly id: string;
  readonly log: FeedLog;
  readonly end: () => void;
}

/**
 * Tells what happens at a host, as server-sent events. It listens to the host while there is a reader, and 30 s longer. All readers share the events that are
 * kept, so that a slow one costs no memory: it loses the oldest, and is told how many.
 */
export class LiveFeed {
  readonly #parts: LiveFeedParts;
  readonly #share = new FairShare(feedLimits.readers);
  readonly #waiting = new Set<() => void>();
  #listening: Listening | undefined;
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
    const { signal, rights, lastEventId } = query;
    signal.throwIfAborted();
    const party = rights.principal === undefined ? "operator" : `principal ${rights.principal.name}`;
    if (!this.#share.mayAdd(party)) {
      const text = `The feed has ${feedLimits.readers} readers at most, and one principal two thirds. End others, or try again later.`;
      // Who has no place to read has none for a connection either.
      throw new HttpProblem(503, "overloaded", text, { closes: true });
    }
    this.#share.add(party);
    signal.addEventListener("abort", () => this.#left(party), { once: true });
    this.#linger?.cancel();
    const known = this.#listening;
    const listening = known ?? this.#listen();
    const from = placeAfter(lastEventId, listening);
    return this.#read(query, listening, from ?? listening.log.next, from === undefined);
  }

  /** Ends the listening. Readers end with their requests. */
  close(): void {
    this.#linger?.cancel();
    this.#gathering?.cancel();
    this.#listening?.end();
    this.#listening = undefined;
  }

  #listen(): Listening {
    const { clock, observe, makeId } = this.#parts;
    const log = new FeedLog(feedLimits.bytes);
    const end = observe((what) => {
      log.add(what, clock.wallNow());
      if (this.#waiting.size > 0) this.#gathering ??= clock.setTimer(feedLimits.gatherMs, () => this.#wake());
    });
    const listening: Listening = { id: makeId(), log, end };
    this.#listening = listening;
    return listening;
  }

  #wake(): void {
    this.#gathering = undefined;
    for (const wake of [...this.#waiting]) wake();
  }

  #left(party: string): void {
    this.#share.remove(party);
    if (this.#share.size > 0) return;
    this.#linger = this.#parts.clock.setTimer(feedLimits.lingerMs, () => this.close(), { keepAlive: false });
  }

  async *#read(query: FeedQuery, { id, log }: Listening, start: number, isUnknown: boolean): AsyncIterable<string> {
    const { signal } = query;
    const budget = new FeedBudget(this.#parts.clock);
    let place = start;
    let hasPaused = false;
    yield `retry: ${feedLimits.retryMs}\n\n`;
    if (isUnknown && query.lastEventId !== undefined) yield lostText(`${id}-${place - 1}`, null);
    while (!signal.aborted) {
      const from = Math.max(log.first, hasPaused ? log.next - budget.left : 0);
      hasPaused = false;
      if (place < from) {
        yield lostText(`${id}-${from - 1}`, from - place);
        place = from;
      }
      const { text, next } = gathered(log, place, { query, id, budget });
      place = next;
      if (text !== "") yield text;
      if (place < log.next && budget.left < feedLimits.fewEvents) {
        await this.#pause(signal);
        hasPaused = true;
      } else if (text !== "") continue;
      else if (place < log.next) await this.#turn(signal);
      else if (!(await this.#more(signal))) yield `: quiet\nid: ${id}-${place - 1}\n\n`;
    }
  }

  /** Lets other work have its turn. */
  async #turn(signal: AbortSignal): Promise<void> {
    await this.#wait(0, signal);
  }

  /** Waits until a reader that has had too many may have some again. New events do not end the wait. */
  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        unfollowAbort(signal, done);
        resolve();
      };
      const timer = this.#parts.clock.setTimer(feedLimits.sampleMs, done, { keepAlive: false });
      followAbort(signal, done);
    });
  }

  /** Resolves to whether there may be more; false: it was quiet for long. */
  #more(signal: AbortSignal): Promise<boolean> {
    return this.#wait(feedLimits.quietMs, signal);
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

/** The events that one reader may get now. */
class FeedBudget {
  readonly #clock: Pick<Clock, "now">;
  #left: number = feedLimits.eventsAtOnce;
  #filledMs: number;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#filledMs = clock.now();
  }

  get left(): number {
    const nowMs = this.#clock.now();
    const filled = this.#left + ((nowMs - this.#filledMs) * feedLimits.eventsPerSecond) / 1_000;
    this.#left = Math.min(feedLimits.eventsAtOnce, filled);
    this.#filledMs = nowMs;
    return Math.floor(this.#left);
  }

  take(events: number): void {
    this.#left -= events;
  }
}

/** Collects what a reader wants, may see, and may have from a place on. */
function gathered(
  log: FeedLog,
  place: number,
  { query, id, budget }: { readonly query: FeedQuery; readonly id: string; readonly budget: FeedBudget },
): { text: string; next: number } {
  const most = budget.left;
  let [text, next, taken] = ["", place, 0];
  for (let entry = log.get(next); entry !== undefined && taken < most; entry = log.get(next)) {
    next += 1;
    if (isFor(entry, query)) {
      taken += 1;
      text += `id: ${id}-${entry.number}\nevent: ${entry.event.kind}\ndata: ${entry.json}\n\n`;
    }
    if (text.length >= feedLimits.chunkChars || next - place >= feedLimits.turnEvents) break;
  }
  budget.take(taken);
  return { text, next };
}

function isFor(entry: FeedEntry, { filter, rights }: FeedQuery): boolean {
  const about = subjectOf(entry.what) ?? entry.event;
  return isWanted(about, filter) && maySee(about, rights);
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
