import type { RowAtHost, RowKinds, RowPlaces, RowsPage, UnansweredHost } from "../host/internal.ts";
import type { RequestQuery } from "../http/internal.ts";
import type { AdminHost } from "./admin-host.ts";
import type { AdminRequest } from "./admin-route.ts";
import { cursorOf, formatCursor, limitOf, type Page, pageParameters } from "./pages.ts";

/** Rows of lists, each with its host. */
export type WorkerRow = RowAtHost<RowKinds["workers"]>;
export type SessionRow = RowAtHost<RowKinds["sessions"]>;
export type CallRow = RowAtHost<RowKinds["calls"]>;
export type TopicRow = RowAtHost<RowKinds["topics"]>;
export type TypeRow = RowAtHost<RowKinds["types"]>;

/** A page of rows of all hosts of the cluster, with those that have not told theirs. */
export interface ClusterPage<Row> extends Page<RowAtHost<Row>> {
  readonly unanswered: readonly UnansweredHost[];
}

/** Parameters of every list of all hosts. `host`: the id or the name of the only one that is asked. */
export const clusterPageParameters = ["host", ...pageParameters] as const;

/** Lists whose places are the names of rows. */
const byName: readonly (keyof RowKinds)[] = ["workers", "sessions", "types"];

/** Reads a page of a list of all hosts. `texts`: the parameters of the request by which rows are chosen. */
export async function clusterRows<Kind extends keyof RowKinds>(
  host: Pick<AdminHost, "rows">,
  kind: Kind,
  { query, rights, signal }: Pick<AdminRequest, "query" | "rights" | "signal">,
  filter: Readonly<Record<string, string | number | undefined>>,
): Promise<ClusterPage<RowKinds[Kind]> & Pick<RowsPage<RowKinds[Kind]>, "forgotten">> {
  const isPlace = byName.includes(kind) ? isName : isNumbers;
  const asked = { filter, viewer: rights, host: query.text("host"), limit: limitOf(query) };
  const places: RowPlaces | undefined = cursorOf<RowPlaces>(query, isPlace);
  const { next, ends: _ends, ...page } = await host.rows(kind, { ...asked, places }, signal);
  return { ...page, next: next === undefined ? null : formatCursor(next) };
}

/** The values of parameters that are texts, by their names. */
export function textsIn(query: RequestQuery, names: readonly string[]): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(names.map((name) => [name, query.text(name)]));
}

function isName(value: unknown): value is string {
  return typeof value === "string";
}

function isNumbers(value: unknown): value is Readonly<Record<string, number>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one) => Number.isSafeInteger(one) && Number(one) >= 0);
}
