import type { RowList, RowPlace, RowsOfHost } from "./row-list.ts";

/**
 * Where a page of the list of all hosts ends: a name, or the number of the last row of each host by its id. A host that is not in it begins
 * with its first row.
 */
export type RowPlaces = string | Readonly<Record<string, number>>;

/** The place behind which the rows of one host are asked for. */
export function placeAt(places: RowPlaces | undefined, hostId: string): RowPlace | undefined {
  if (typeof places !== "object") return places;
  // A place may come from a client: `__proto__` is a name as all others.
  return Object.hasOwn(places, hostId) ? places[hostId] : undefined;
}

/** Rows that a host has told. */
export interface HostRows<Row> extends RowsOfHost<Row> {
  readonly hostId: string;
}

/**
 * Puts the rows of several hosts in one order, up to `limit` of them. Behind the last row of a host that has more, it does not know the
 * order, so that the page ends there. `next`: undefined if all hosts have no more.
 */
export function mergeRows<Row>(
  list: Pick<RowList<Row>, "order" | "placeOf" | "isBefore">,
  hosts: readonly HostRows<Row>[],
  { places, limit }: { readonly places: RowPlaces | undefined; readonly limit: number },
): { readonly rows: readonly { readonly hostId: string; readonly row: Row }[]; readonly next: RowPlaces | undefined } {
  const used = new Map(hosts.map((host) => [host, 0]));
  const rows: { readonly hostId: string; readonly row: Row }[] = [];
  const headOf = (host: HostRows<Row>): Row | undefined => host.rows[used.get(host) ?? 0];
  const isDry = (host: HostRows<Row>): boolean => host.hasMore && headOf(host) === undefined;
  for (;;) {
    const first = firstOf(hosts, headOf, list.isBefore);
    const isOver = rows.length >= limit || hosts.some(isDry);
    if (first === undefined || (isOver && !isSamePlace(list, first.row, rows.at(-1)?.row))) break;
    rows.push({ hostId: first.host.hostId, row: first.row });
    used.set(first.host, (used.get(first.host) ?? 0) + 1);
  }
  const isLast = hosts.every((host) => !host.hasMore && headOf(host) === undefined);
  if (isLast) return { rows, next: undefined };
  if (list.order === "names") {
    const last = rows.at(-1);
    return { rows, next: last === undefined ? places : String(list.placeOf(last.row)) };
  }
  const numbers = hosts.flatMap((host) => {
    const last = host.rows[(used.get(host) ?? 0) - 1];
    const place = last === undefined ? placeAt(places, host.hostId) : list.placeOf(last);
    return place === undefined ? [] : [[host.hostId, Number(place)] as const];
  });
  // The places of hosts that have not answered stay.
  const silent = typeof places === "object" ? Object.entries(places) : [];
  return { rows, next: Object.fromEntries([...silent, ...numbers]) };
}

function firstOf<Row>(
  hosts: readonly HostRows<Row>[],
  headOf: (host: HostRows<Row>) => Row | undefined,
  isBefore: (row: Row, other: Row) => boolean,
): { readonly host: HostRows<Row>; readonly row: Row } | undefined {
  let first: { readonly host: HostRows<Row>; readonly row: Row } | undefined;
  for (const host of hosts) {
    const row = headOf(host);
    if (row !== undefined && (first === undefined || isBefore(row, first.row))) first = { host, row };
  }
  return first;
}

/** A worker that goes to another host may be in the lists of both. Both rows are on one page, as the next one begins behind their name. */
function isSamePlace<Row>(
  { order, placeOf }: Pick<RowList<Row>, "order" | "placeOf">,
  row: Row,
  last: Row | undefined,
): boolean {
  return order === "names" && last !== undefined && placeOf(row) === placeOf(last);
}
