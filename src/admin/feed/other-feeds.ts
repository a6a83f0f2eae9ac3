import { type Clock, errorText, nextTurn, type Timer } from "../../core/internal.ts";
import type { FeedRow, ListedHost, RowAtHost } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRights } from "../admin-rights.ts";
import type { FeedFilter } from "./feed-event.ts";

/** Milliseconds between two looks for hosts that have come or gone, and before a host is asked again that has not answered. */
const lookMs = 1_000;
/** Rows of one answer. */
const mostRows = 500;

/** The readers of one feed that want the same of other hosts. */
export interface FollowedQuery {
  readonly filter: FeedFilter;
  readonly rights: AdminRights;
  /** The id or the name of the only host that is wanted. Undefined: all. */
  readonly host: string | undefined;
}

/** Takes what other hosts tell. */
export interface FollowedEvents {
  /** `false`: the readers are gone, and the following ends. */
  readonly isWanted: () => boolean;
  readonly onRows: (rows: readonly RowAtHost<FeedRow>[]) => void;
  /** Occurrences are missing. Null: how many is not known. */
  readonly onLost: (count: number | null) => void;
  /** A host does not answer: called once until it answers again. */
  readonly onUnanswered: (host: ListedHost, problem: string) => void;
}

export interface OtherFeedsParts {
  readonly clock: Clock;
  readonly hosts: AdminHost["hosts"];
  readonly rows: AdminHost["rows"];
  /** Makes the id under which other hosts know a reader. */
  readonly makeId: () => string;
}

/** One host that is followed. */
interface Follow {
  readonly ending: AbortController;
  isAnswering: boolean;
}

/** Reads the feeds of the other hosts of a cluster, each on its own, so that one that does not answer delays no other. */
export class OtherFeeds {
  readonly #parts: OtherFeedsParts;
  readonly #ends = new Set<() => void>();

  constructor(parts: OtherFeedsParts) {
    this.#parts = parts;
  }

  /** Follows the wanted hosts until they are wanted no more. */
  follow(query: FollowedQuery, events: FollowedEvents): void {
    const { clock, hosts } = this.#parts;
    const reader = this.#parts.makeId();
    const followed = new Map<string, Follow>();
    let timer: Timer | undefined;
    const end = (): void => {
      timer?.cancel();
      for (const { ending } of followed.values()) ending.abort(new Error("The reader has left."));
      this.#ends.delete(end);
    };
    const look = (): void => {
      if (!events.isWanted()) return end();
      const wanted = hosts().others.filter((one) => isNamed(one, query.host));
      const known = new Set(wanted.map(({ hostId }) => hostId));
      for (const [hostId, { ending }] of followed) {
        if (known.has(hostId)) continue;
        ending.abort(new Error("The host has left the cluster."));
        followed.delete(hostId);
      }
      for (const host of wanted) {
        if (followed.has(host.hostId)) continue;
        const follow = { ending: new AbortController(), isAnswering: true };
        followed.set(host.hostId, follow);
        void this.#read(host, { query, events, follow, reader });
      }
      timer = clock.setTimer(lookMs, look, { keepAlive: false });
    };
    this.#ends.add(end);
    look();
  }

  close(): void {
    for (const end of [...this.#ends]) end();
  }

  async #read(
    host: ListedHost,
    {
      query,
      events,
      follow,
      reader,
    }: {
      readonly query: FollowedQuery;
      readonly events: FollowedEvents;
      readonly follow: Follow;
      readonly reader: string;
    },
  ): Promise<void> {
    const { signal } = follow.ending;
    const { hostId } = host;
    const filter = { ...query.filter, reader, forwarded: query.host === undefined ? undefined : 1 };
    let after: number | undefined;
    while (!signal.aborted) {
      let problem: string | undefined;
      try {
        const places = after === undefined ? undefined : { [hostId]: after };
        const asked = { filter, viewer: query.rights, host: hostId, places, limit: mostRows };
        const page = await this.#parts.rows("feed", asked, signal);
        problem = page.unanswered[0]?.problem;
        if (problem === undefined) {
          follow.isAnswering = true;
          if (page.forgotten > 0) events.onLost(page.forgotten);
          if (page.rows.length > 0) events.onRows(page.rows);
          after = page.ends[hostId] ?? after;
          await nextTurn();
        }
      } catch (error) {
        problem = errorText(error);
      }
      if (problem === undefined || signal.aborted) continue;
      if (follow.isAnswering) {
        follow.isAnswering = false;
        events.onUnanswered(host, problem);
        // What it has for the reader meanwhile is kept for some seconds. Whether it was enough is not known.
        events.onLost(null);
      }
      await this.#pause(signal);
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.#parts.clock.setTimer(lookMs, done, { keepAlive: false });
      signal.addEventListener("abort", done);
    });
  }
}

export function isNamed({ hostId, name }: ListedHost, wanted: string | undefined): boolean {
  return wanted === undefined || wanted === hostId || wanted === name;
}
