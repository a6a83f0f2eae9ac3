import { type HostOccurrence, maySeeOccurrence, noSuchHost, type Viewer } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import {
  type FeedEvent,
  type FeedFilter,
  feedEventOf,
  filterNames,
  isForwarded,
  isWanted,
  outcomeOfEvent,
} from "./feed-event.ts";
import type { FeedEntry } from "./feed-log.ts";
import { isNamed } from "./other-feeds.ts";

/** Bounds of what one reader gets. They are no options, because no user has needed another value yet. */
export const readerLimits = {
  /** Events that a reader may have in a second, and those that it may have at once. */
  eventsPerSecond: 1_000,
  eventsAtOnce: 3_000,
  /** Milliseconds between two words of how many it has lost. */
  lostMs: 1_000,
  /** Server-sent events about hosts that wait for it. */
  notes: 64,
} as const;

/** The sources of a reader at this host: anything, and calls that came from another host. That host tells of these, too. */
export interface FeedTakes {
  readonly own: boolean;
  readonly forwarded: boolean;
}

export interface FeedWish {
  readonly filter: FeedFilter;
  readonly rights: Viewer;
  readonly takes: FeedTakes;
  /** Undefined: it takes nothing of other hosts. */
  readonly toldFor?: string | undefined;
}

/** A reader of the feed: what it wants, and how many events it may have now. It stays for a while after it has left, so that it may come back. */
export class FeedReader {
  readonly #filter: FeedFilter;
  readonly #rights: Viewer;
  readonly takes: FeedTakes;
  /** Names what it wants of other hosts, and for whom. Readers with the same name get it together. */
  readonly toldFor: string | undefined;
  /** Server-sent events that it gets before all others. */
  readonly notes: string[] = [];
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

  constructor({ filter, rights, takes, toldFor }: FeedWish, nowMs: number) {
    this.#filter = filter;
    this.#rights = rights;
    this.takes = takes;
    this.toldFor = toldFor;
    this.#wantsAll = filterNames.every((name) => filter[name] === undefined);
    this.#filledMs = nowMs;
  }

  /** Whether it is another request of the same reader. */
  isLike({ filter, rights, takes, toldFor }: FeedWish): boolean {
    return (
      filterNames.every((name) => filter[name] === this.#filter[name]) &&
      rights.principal?.name === this.#rights.principal?.name &&
      takes.own === this.takes.own &&
      takes.forwarded === this.takes.forwarded &&
      toldFor === this.toldFor
    );
  }

  /** Whether it wants an occurrence of this host. It is asked of all that happens. */
  wants(what: HostOccurrence): boolean {
    const { own, forwarded } = this.takes;
    if (!own || (!forwarded && isForwarded(what))) return false;
    return this.#wantsAll || fits(what, this.#filter);
  }

  /** Takes one of the events that it may have now. False: it may have none. */
  takeOne(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  /** Tells it something before the next events. Of many notes it gets the first ones. */
  note(text: string): void {
    if (this.notes.length < readerLimits.notes) this.notes.push(text);
  }

  /** An occurrence that it wants was not kept. */
  isShort(): void {
    this.lost += 1;
  }

  /** Whether it takes an entry from where that comes. */
  takesFrom({ toldFor, isForwarded: isOfOther }: Pick<FeedEntry, "toldFor" | "isForwarded">): boolean {
    if (toldFor !== undefined) return toldFor === this.toldFor;
    return this.takes.own && (this.takes.forwarded || !isOfOther);
  }

  /** Whether the reader gets an event that was kept. `viewer`: it may see less than when the reader came. */
  gets(event: FeedEvent, viewer: Viewer = this.#rights): boolean {
    return isWanted(event, this.#filter) && maySeeOccurrence(event, viewer);
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

interface Asked {
  readonly filter: FeedFilter;
  readonly rights: Viewer;
  readonly host?: string | undefined;
}

/** Returns what a reader takes of this host, and of the others. Throws `not-found` for a host that is not up. */
export function wishOf({ filter, rights, host }: Asked, { here, others }: ReturnType<AdminHost["hosts"]>): FeedWish {
  if (here === null && host === undefined) return { filter, rights, takes: { own: true, forwarded: true } };
  const takes = { own: here !== null && isNamed(here, host), forwarded: host !== undefined };
  if (here === null || (!takes.own && !others.some((other) => isNamed(other, host)))) throw noSuchHost();
  // With the host's own id or name it wants nothing of others.
  if (takes.own && host !== undefined) return { filter, rights, takes };
  return { filter, rights, takes, toldFor: JSON.stringify([filter, rights.principal?.name, host]) };
}
