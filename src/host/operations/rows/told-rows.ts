import { limits } from "../../limits.ts";
import type { Principal } from "../../principal.ts";
import { encodeJson, fieldsIn } from "../host-status.ts";
import type { RowFilter, RowList, RowPlace, RowsOfHost } from "./row-list.ts";
import { isFields, isWhole } from "./told-values.ts";
import { readPrincipal } from "./viewer.ts";

/** Rows of one answer; bytes of it after which a host says no more rows; bytes of a longer one, that is not read. */
export const rowLimits = { rows: 500, saidBytes: 1024 * 1024, readBytes: 4 * 1024 * 1024 } as const;
/** Bytes of a question that is read; a principal may have many attributes. */
const longestQuery = 8 * 1024 * 1024;
/** Values of a filter. */
const mostFilters = 20;

/** What one host asks of another's list. */
export interface RowsQuestion {
  readonly filter: RowFilter;
  /** Undefined: the operator of the other host's machine asks. */
  readonly principal: Principal | undefined;
  readonly after: RowPlace | undefined;
  readonly limit: number;
  /** Bytes after which the answer ends. */
  readonly bytes: number;
}

export function encodeRowsQuestion({ filter, principal, after, limit, bytes }: RowsQuestion): Uint8Array {
  const asker = principal && { name: principal.name, roles: principal.roles, attributes: principal.attributes };
  return encodeJson({ filter, principal: asker, after, limit, bytes });
}

/** Undefined: the bytes are something else, or ask for places of another list. */
export function readRowsQuestion(
  encoded: Uint8Array,
  { order }: Pick<RowList<unknown>, "order">,
): RowsQuestion | undefined {
  const fields = fieldsIn(encoded, longestQuery);
  if (fields === undefined) return undefined;
  const { after, limit, bytes } = fields;
  const [filter, principal] = [readFilter(fields.filter), readPrincipal(fields.principal)];
  if (filter === undefined || principal === null || (after !== undefined && !isPlace(after, order))) return undefined;
  if (!isWhole(limit) || limit < 1 || !isWhole(bytes)) return undefined;
  return {
    ...{ filter, principal, after, limit: Math.min(limit, rowLimits.rows) },
    bytes: Math.min(bytes, rowLimits.saidBytes),
  };
}

/** Encodes as many rows as fit, and at least one. Each is cut as its reader would cut it. */
export function encodeRows<Row>(list: RowList<Row>, page: RowsOfHost<Row>, mostBytes: number): Uint8Array {
  const rows: string[] = [];
  let bytes = 0;
  for (const row of page.rows) {
    const text = JSON.stringify(list.read(row));
    bytes += text.length;
    if (bytes > mostBytes && rows.length > 0) break;
    rows.push(text);
  }
  const hasMore = page.hasMore || rows.length < page.rows.length;
  const { forgotten } = page;
  const rest = JSON.stringify({ hasMore, forgotten });
  return new TextEncoder().encode(`{"rows":[${rows.join(",")}],${rest.slice(1)}`);
}

/** Reads the rows that another host tells. Undefined: the bytes are something else, or the rows are not those that were asked for. */
export function readRows<Row>(
  list: RowList<Row>,
  encoded: Uint8Array,
  { after, limit }: Pick<RowsQuestion, "after" | "limit">,
): RowsOfHost<Row> | undefined {
  const fields = fieldsIn(encoded, rowLimits.readBytes);
  if (fields === undefined) return undefined;
  const { rows: all, hasMore, forgotten } = fields;
  if (!Array.isArray(all) || all.length > limit || typeof hasMore !== "boolean") return undefined;
  if (forgotten !== undefined && !isWhole(forgotten)) return undefined;
  const rows = all.map((row) => list.read(row));
  if (!rows.every((row) => row !== undefined)) return undefined;
  // A host that said the same rows again and again would make a list without end.
  const places = [...(after === undefined ? [] : [after]), ...rows.map((row) => list.placeOf(row))];
  if (!places.every((place, at) => at === 0 || isBehind(place, places[at - 1], list))) return undefined;
  return { rows, hasMore: hasMore && rows.length > 0, forgotten };
}

export function isPlace(value: unknown, order: RowList<unknown>["order"]): value is RowPlace {
  return order === "names" ? typeof value === "string" && value.length <= limits.nameChars : isWhole(value);
}

function isBehind(place: RowPlace, before: RowPlace | undefined, { order }: Pick<RowList<unknown>, "order">): boolean {
  if (before === undefined) return true;
  return order === "numbers, newest first" ? place < before : place > before;
}

function readFilter(value: unknown): RowFilter | undefined {
  if (!isFields(value)) return undefined;
  const entries = Object.entries(value);
  if (entries.length > mostFilters) return undefined;
  const isValue = (one: unknown): one is string | number => typeof one === "string" || isWhole(one);
  return entries.every(([, one]) => isValue(one)) ? (Object.fromEntries(entries) as RowFilter) : undefined;
}
