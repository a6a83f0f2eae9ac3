import { type Clock, followAbort, type Timer, unfollowAbort } from "../../core/internal.ts";
import type { FeedQuestion, FeedRow, HostObserver, ToldFeeds } from "../../host/internal.ts";
import { FairShare, RpcError, StatusCode } from "../../transport/internal.ts";
import { filterNames } from "./feed-event.ts";
import { FeedLog } from "./feed-log.ts";
import { FeedReader } from "./feed-reader.ts";

/** Bounds of what readers at other hosts get. They are no options, because no user has needed another value yet. */
export const toldFeedLimits = {
  /** Readers at once; those of one principal have two thirds. */
  readers: 24,
  /** Bytes that are kept for one reader until it asks for them. */
  bytes: 512 * 1024,
  /** Milliseconds from an occurrence to the answer that has it, and until an answer that has none. */
  gatherMs: 50,
  waitMs: 1_000,
  /** Milliseconds after which a reader that does not ask is forgotten. */
  forgetMs: 10_000,
} as const;

export interface ToldFeedsParts {
  readonly clock: Clock;
  /** Tells an observer what happens from now on. Returns what ends that. */
  readonly observe: (observer: HostObserver) => () => void;
}

/** A reader at another host, and what waits for it. */
interface Seat {
  readonly reader: FeedReader;
  readonly log: FeedLog;
  readonly end: () => void;
  /** Forgets the reader. */
  forgetting: Timer;
  /** The place up to which the viewer was shown what it may see, behind the last row that it was told. */
  shown: { readonly after: number; readonly next: number } | undefined;
  wake: (() => void) | undefined;
  gathering: Timer | undefined;
}

/** Keeps for readers at other hosts what happens at this one, from their first question until they ask no more. Each has a bound of bytes of its own. */
export class ToldFeedsOfHost implements ToldFeeds {
  readonly #parts: ToldFeedsParts;
  readonly #seats = new Map<string, Seat>();
  readonly #share = new FairShare(toldFeedLimits.readers);

  constructor(parts: ToldFeedsParts) {
    this.#parts = parts;
  }

  get readers(): number {
    return this.#seats.size;
  }

  async read(question: FeedQuestion, signal: AbortSignal): ReturnType<ToldFeeds["read"]> {
    const name = JSON.stringify([partyOf(question), question.reader]);
    const seat = this.#seats.get(name) ?? this.#open(name, question);
    const { clock } = this.#parts;
    seat.forgetting.cancel();
    seat.forgetting = clock.setTimer(toldFeedLimits.forgetMs, () => this.#forget(name, partyOf(question)), {
      keepAlive: false,
    });
    const first = rowsFor(seat, question);
    if (first.rows.length > 0) return first;
    await this.#more(seat, signal);
    return rowsFor(seat, question);
  }

  /** Keeps nothing more. */
  close(): void {
    for (const seat of this.#seats.values()) endSeat(seat);
    this.#seats.clear();
  }

  #open(name: string, question: FeedQuestion): Seat {
    const party = partyOf(question);
    if (!this.#share.mayAdd(party))
      throw new RpcError(
        StatusCode.resourceExhausted,
        `Its feed has ${toldFeedLimits.readers} readers of other hosts at most, and one principal two thirds. End others.`,
      );
    this.#share.add(party);
    const { clock, observe } = this.#parts;
    const filter = Object.fromEntries(filterNames.map((one) => [one, textOf(question.filter[one])]));
    const takes = { own: true, forwarded: question.filter.forwarded === 1 };
    const reader = new FeedReader({ filter, rights: question.viewer, takes }, clock.now());
    const log = new FeedLog(toldFeedLimits.bytes, (question.after ?? 0) + 1);
    const end = observe((what) => {
      if (!reader.wants(what)) return;
      this.#gather(seat);
      if (reader.takeOne()) log.add(what, new Date(clock.wallNow()).toISOString(), "");
      else reader.isShort();
      // It loses less when it is told at once.
      if (2 * log.bytes > toldFeedLimits.bytes) seat.wake?.();
    });
    const forgetting = clock.setTimer(0, () => undefined);
    const seat: Seat = { reader, log, end, forgetting, shown: undefined, wake: undefined, gathering: undefined };
    this.#seats.set(name, seat);
    return seat;
  }

  /** Collects what happens for a moment. */
  #gather(seat: Seat): void {
    if (seat.gathering !== undefined) return;
    seat.reader.refill(this.#parts.clock.now());
    seat.gathering = this.#parts.clock.setTimer(toldFeedLimits.gatherMs, () => {
      seat.gathering = undefined;
      seat.wake?.();
    });
  }

  #more(seat: Seat, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        unfollowAbort(signal, done);
        if (seat.wake === done) seat.wake = undefined;
        resolve();
      };
      const timer = this.#parts.clock.setTimer(toldFeedLimits.waitMs, done, { keepAlive: false });
      // A second question of the same reader ends the first one.
      seat.wake?.();
      seat.wake = done;
      followAbort(signal, done);
    });
  }

  #forget(name: string, party: string): void {
    const seat = this.#seats.get(name);
    if (seat === undefined) return;
    this.#seats.delete(name);
    this.#share.remove(party);
    endSeat(seat);
  }
}

function endSeat({ end, forgetting, gathering, wake }: Seat): void {
  end();
  forgetting.cancel();
  gathering?.cancel();
  wake?.();
}

function rowsFor(seat: Seat, { after = 0, limit, viewer }: FeedQuestion): Awaited<ReturnType<ToldFeeds["read"]>> {
  const { log, reader, shown } = seat;
  let place = shown?.after === after ? shown.next : after + 1;
  if (place < log.first) {
    reader.lost += log.first - place;
    place = log.first;
  }
  const rows: FeedRow[] = [];
  for (const { number, event } of log.from(place)) {
    if (rows.length === limit) break;
    place = number + 1;
    if (!reader.gets(event, viewer)) continue;
    const { host: _host, payload: _payload, ...row } = event;
    rows.push({ number, ...row });
  }
  seat.shown = { after: rows.at(-1)?.number ?? after, next: place };
  const forgotten = reader.lost;
  reader.lost = 0;
  return { rows, hasMore: log.hasFrom(place), forgotten };
}

function partyOf({ viewer: { principal } }: FeedQuestion): string {
  return principal === undefined ? "operator" : `principal ${principal.name}`;
}

function textOf(value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
