import type { HostOccurrence } from "../../host/internal.ts";
import type { AdminRights } from "../admin-rights.ts";
import {
  type FeedEvent,
  type FeedFilter,
  feedEventOf,
  filterNames,
  isWanted,
  maySee,
  outcomeOfEvent,
} from "./feed-event.ts";

/** Bounds of what one reader gets. They are no options, because no user has needed another value yet. */
export const readerLimits = {
  /** Events that a reader may have in a second, and those that it may have at once. */
  eventsPerSecond: 1_000,
  eventsAtOnce: 3_000,
  /** Milliseconds between two words of how many it has lost. */
  lostMs: 1_000,
} as const;

/** A reader of the feed: what it wants, and how many events it may have now. It stays for a while after it has left, so that it may come back. */
export class FeedReader {
  readonly #filter: FeedFilter;
  readonly #rights: AdminRights;
  /** True: it wants whatever happens. */
  readonly #wantsAll: boolean;
  #left: number = readerLimits.eventsAtOnce;
  #filledMs: number;
  /** Occurrences that it has wanted, and that were not kept because it had had too many. It is told of them. */
  lost = 0;
  /** When it was told of lost ones for the last time. */
  toldMs = Number.NEGATIVE_INFINITY;
  /** When it has left. Undefined: it is here. */
  leftMs: number | undefined;

  constructor({ filter, rights }: { readonly filter: FeedFilter; readonly rights: AdminRights }, nowMs: number) {
    this.#filter = filter;
    this.#rights = rights;
    this.#wantsAll = filterNames.every((name) => filter[name] === undefined);
    this.#filledMs = nowMs;
  }

  /** Whether it is another request of the same reader. */
  isLike({ filter, rights }: { readonly filter: FeedFilter; readonly rights: AdminRights }): boolean {
    return (
      filterNames.every((name) => filter[name] === this.#filter[name]) &&
      rights.principal?.name === this.#rights.principal?.name
    );
  }

  /** Whether it wants an occurrence. It is asked of all that happens at the host. */
  wants(what: HostOccurrence): boolean {
    return this.#wantsAll || fits(what, this.#filter);
  }

  /** Takes one of the events that it may have now. False: it may have none. */
  takeOne(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  /** An occurrence that it wants was not kept. */
  isShort(): void {
    this.lost += 1;
  }

  /** Whether the reader gets an event that was kept. */
  gets(event: FeedEvent): boolean {
    return isWanted(event, this.#filter) && maySee(event, this.#rights);
  }

  /** Time has passed: it may have more events again. */
  refill(nowMs: number): void {
    const more = ((nowMs - this.#filledMs) * readerLimits.eventsPerSecond) / 1_000;
    this.#left = Math.min(readerLimits.eventsAtOnce, this.#left + more);
    this.#filledMs = nowMs;
  }
}

/** Whether a filter admits an occurrence. Of calls and events there are many: nothing is made to decide that. */
function fits(what: HostOccurrence, filter: FeedFilter): boolean {
  const { kind, type, key, topic, outcome } = filter;
  if (kind !== undefined && kind !== what.at) return false;
  switch (what.at) {
    case "call":
      return (
        topic === undefined &&
        (type === undefined || type === what.targetType) &&
        (key === undefined || key === what.targetKey) &&
        (outcome === undefined || outcome === what.outcome)
      );
    case "event":
      return (
        type === undefined &&
        key === undefined &&
        (topic === undefined || topic === what.topicType) &&
        (outcome === undefined || outcome === outcomeOfEvent(what))
      );
    default:
      return isWanted(feedEventOf(what, ""), filter);
  }
}
