import type { Viewer } from "./viewer.ts";

/** The place of a row in the list of one host: a name, or a number. */
export type RowPlace = string | number;

/** The values that wanted rows have, by the names of parameters of the admin entry. */
export type RowFilter = Readonly<Record<string, string | number | undefined>>;

export interface RowQuery {
  readonly filter: RowFilter;
  readonly viewer: Viewer;
  /** Only rows behind this place. Undefined: from the first. */
  readonly after: RowPlace | undefined;
  readonly limit: number;
}

/** Rows of one host in the order of their places. */
export interface RowsOfHost<Row> {
  readonly rows: readonly Row[];
  /** Whether there are more behind the last one. */
  readonly hasMore: boolean;
  /** Rows that the host has forgotten, because it had no space for all. */
  readonly forgotten?: number | undefined;
}

// protocol.md §12.5
/** A list that each host of a cluster has, of its own rows. */
export interface RowList<Row> {
  /** The method under which hosts ask each other for it. */
  readonly method: string;
  /** Names go up over all hosts. Numbers are those of each host; they go up, or down from the newest row. */
  readonly order: "names" | "numbers" | "numbers, newest first";
  /** Whether a viewer must be allowed to see agents of every type. */
  readonly isForAll: boolean;
  /** Lists rows of this host that the viewer may see. Rejects with the reason of `signal`. */
  list(query: RowQuery, signal: AbortSignal): Promise<RowsOfHost<Row>>;
  placeOf(row: Row): RowPlace;
  /** Whether a row comes before one of another host. */
  isBefore(row: Row, other: Row): boolean;
  /** Checks what another host tells, and cuts it. Undefined: it is something else. */
  read(value: unknown): Row | undefined;
  /** Returns a row of another host as the viewer may see it. Undefined: the filter does not admit it, or the viewer may not see it. */
  shown(row: Row, query: Pick<RowQuery, "filter" | "viewer">): Row | undefined;
}

/** Whether a value is the one that is asked for; undefined: any is. */
export function fits(wanted: string | number | undefined, value: string | null | undefined): boolean {
  return wanted === undefined || wanted === value;
}

/** A page of a list by names. */
export function pageByName<Row>(
  all: readonly Row[],
  { after = "", limit }: Pick<RowQuery, "after" | "limit">,
  nameOf: (row: Row) => string,
): RowsOfHost<Row> {
  const later = all
    .filter((row) => nameOf(row) > String(after))
    .sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  const rows = later.slice(0, limit);
  return { rows, hasMore: rows.length < later.length };
}

/** A page of a list by numbers that go up. */
export function pageByNumber<Row extends { readonly number: number }>(
  all: readonly Row[],
  { after = 0, limit }: Pick<RowQuery, "after" | "limit">,
): RowsOfHost<Row> {
  const later = all.filter(({ number }) => number > Number(after));
  const rows = later.slice(0, limit);
  return { rows, hasMore: rows.length < later.length };
}
