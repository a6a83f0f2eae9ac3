import { HttpProblem, type RequestQuery } from "../http/internal.ts";
import type { AdminRights } from "./admin-rights.ts";
import type { SealedCursors } from "./sealed-cursors.ts";

/** Pages without a row that the caller may see, which one request passes over. */
const mostPages = 20;

/** Reads a page of a list. */
type ReadPage = (query: RequestQuery) => Promise<unknown>;

/** A page, of any list whose rows have an agent type. */
interface TypedPage {
  readonly rows: readonly { readonly type: string }[];
  readonly next: string | null;
}

export interface VisibleQuery {
  readonly query: RequestQuery;
  readonly rights: AdminRights;
  readonly cursors: SealedCursors;
  readonly signal: AbortSignal;
}

/**
 * Reads the page of a list that the caller may see. Neither its rows nor its place tell of agents of other types. The place is sealed. A filter
 * by a type that the caller may not see finds nothing.
 */
export async function visiblePage(readPage: ReadPage, visible: VisibleQuery): Promise<unknown> {
  const { query, rights } = visible;
  if (rights.may("see", "", { isPrefix: true })) return await readPage(query);
  const type = query.text("type");
  if (type === undefined) return await visibleInAll(readPage, visible);
  // All its rows are of this type.
  const page = pageIn(await readPage(query));
  return rights.may("see", type) ? page : { ...page, rows: [], next: null };
}

async function visibleInAll(readPage: ReadPage, { query, rights, cursors, signal }: VisibleQuery): Promise<unknown> {
  const { path: list } = query;
  // Whether there is a next page would tell which keys agents of other types have.
  if (query.text("prefix") !== undefined) throw invalid("Name the type, too: the parameter prefix needs one here.");
  const sealed = query.text("after");
  let after = sealed === undefined ? undefined : cursors.open(sealed, list);
  if (sealed !== undefined && after === undefined)
    throw invalid("The parameter after is not the next of a page of this list.");
  for (let count = 1; ; count += 1) {
    signal.throwIfAborted();
    const page = pageIn(await readPage(after === undefined ? query : query.replacing("after", after)));
    const rows = page.rows.filter(({ type }) => rights.may("see", type));
    const { next } = page;
    if (next === null || rows.length > 0 || count >= mostPages)
      return { ...page, rows, next: next === null ? null : cursors.seal(next, list) };
    after = next;
  }
}

function pageIn(answer: unknown): TypedPage {
  if (isPage(answer)) return answer;
  throw new HttpProblem(500, "handler-failed", "The list has no rows.");
}

function isPage(answer: unknown): answer is TypedPage {
  return typeof answer === "object" && answer !== null && "rows" in answer && Array.isArray(answer.rows);
}

function invalid(detail: string): HttpProblem {
  return new HttpProblem(400, "invalid-argument", detail);
}
