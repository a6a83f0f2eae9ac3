import { RpcError, StatusCode } from "../../../transport/internal.ts";
import type { HostOccurrence } from "../../observer.ts";
import type { RowFilter, RowList, RowsOfHost } from "./row-list.ts";
import { orNull, readFields, told } from "./told-values.ts";
import { seesAll, type Viewer } from "./viewer.ts";

/** Something that has happened at a host, for the feed of another one. */
export interface FeedRow {
  /** Its number among those that one reader gets. */
  readonly number: number;
  readonly time: string;
  readonly kind: HostOccurrence["at"];
  readonly outcome: string;
  /** The agent type. Null: it is about none. */
  readonly type: string | null;
  readonly key: string | null;
  /** The topic type of an event. */
  readonly topic: string | null;
  readonly clientId: string | null;
  /** An error code, or a reason. */
  readonly code: string | null;
  /** How long it took. */
  readonly ms: number | null;
  readonly traceId: string | null;
  readonly detail: string | null;
}

/** A question of a reader at another host. */
export interface FeedQuestion {
  /** Tells readers apart. It stays the same from question to question. */
  readonly reader: string;
  /** Undefined: the reader is new, and gets what happens from now on. */
  readonly after: number | undefined;
  readonly limit: number;
  readonly filter: RowFilter;
  readonly viewer: Viewer;
}

/** Tells readers at other hosts what happens at this one. */
export interface ToldFeeds {
  /** Resolves when there is something, or after a second. `forgotten`: how much the reader has lost since it last asked. Throws an `RpcError` if there are too many readers. */
  read(question: FeedQuestion, signal: AbortSignal): Promise<RowsOfHost<FeedRow>>;
}

/** Characters of the id of a reader. */
const mostIdChars = 100;

// protocol.md §12.5
/**
 * Tells what happens from the first question on, in the order in which it happens. `forgotten` says how much the reader has lost. Filter: `reader`,
 * `kind`, `type`, `key`, `topic`, `outcome`, and `forwarded`: 1 also admits calls that came from another host.
 */
export function feedRows(feeds: () => ToldFeeds | undefined): RowList<FeedRow> {
  return {
    ...{ method: "ListOccurrences", order: "numbers", isForAll: false },
    list: async ({ filter, viewer, after, limit }, signal) => {
      const feed = feeds();
      if (feed === undefined)
        throw new RpcError(StatusCode.failedPrecondition, "It has no feed, because it has no admin entry.");
      const { reader } = filter;
      if (typeof reader !== "string" || reader === "" || reader.length > mostIdChars)
        throw new RpcError(StatusCode.invalidArgument, "The question for its feed names no reader.");
      return await feed.read(
        { reader, after: after === undefined ? undefined : Number(after), limit, filter, viewer },
        signal,
      );
    },
    placeOf: ({ number }) => number,
    isBefore: (row, other) => row.time < other.time,
    read: readFeedRow,
    shown: (row, { viewer }) => (maySeeOccurrence(row, viewer) ? row : undefined),
  };
}

/** Whether a viewer may see an occurrence. One without a type and a topic is for viewers that may see all types. */
export function maySeeOccurrence({ type, topic }: Pick<FeedRow, "type" | "topic">, viewer: Viewer): boolean {
  if (topic !== null) return viewer.may("watch", topic);
  return type === null ? seesAll(viewer) : viewer.may("see", type);
}

function readFeedRow(value: unknown): FeedRow | undefined {
  return readFields<FeedRow>(value, {
    ...{ number: told.count, time: told.text, outcome: told.text, type: orNull(told.text), key: orNull(told.text) },
    ...{ topic: orNull(told.text), clientId: orNull(told.text), code: orNull(told.text), ms: orNull(told.amount) },
    ...{ traceId: orNull(told.text), detail: orNull(told.text) },
    // A kind that this version does not know is shown as it is.
    kind: (kind) => told.text(kind) as FeedRow["kind"] | undefined,
  });
}
