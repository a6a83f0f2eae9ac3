import { Buffer } from "node:buffer";
import { HttpProblem, type RequestQuery } from "../http/internal.ts";

/** Rows of one answer: by default, and at most. */
export const pageRows = { usual: 100, most: 500 } as const;

/** Parameters of every path that answers in pages. */
export const pageParameters = ["after", "limit"] as const;

/** One page of a list. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** The `after` of the next page. Null: this is the last one. A page may have no rows though others follow. */
  readonly next: string | null;
}

export function limitOf(query: RequestQuery, most: number = pageRows.most): number {
  return query.whole("limit", { from: 1, to: most }) ?? Math.min(pageRows.usual, most);
}

/** Writes a place in a list as a text that clients hand back. */
export function formatCursor(place: unknown): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/** Reads the `after` of a query; undefined: from the first. `isPlace` tells whether it is a place of this list. */
export function cursorOf<Place>(query: RequestQuery, isPlace: (value: unknown) => value is Place): Place | undefined {
  const text = query.text("after");
  if (text === undefined) return undefined;
  const place = parseCursor(text, isPlace);
  if (place !== undefined) return place;
  throw new HttpProblem(400, "invalid-argument", "The parameter after is not the next of a page of this list.");
}

/** Reads a text of `formatCursor`. Undefined: the text is not a cursor, or its place is not in this list. */
export function parseCursor<Place>(text: string, isPlace: (value: unknown) => value is Place): Place | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return isPlace(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the `after` of a list by names. Empty: from the first. */
export function nameAfter(query: RequestQuery): string {
  return cursorOf(query, (value) => typeof value === "string") ?? "";
}

/** Reads the `after` of a list by numbers. Undefined: from the first. */
export function numberAfter(query: RequestQuery): number | undefined {
  return cursorOf(query, (value): value is number => Number.isSafeInteger(value) && Number(value) >= 0);
}
