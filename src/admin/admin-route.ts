import { HttpProblem, type HttpRequest, type HttpRoute } from "../http/internal.ts";
import type { AdminRights } from "./admin-rights.ts";

/** A request with what its caller may see and do. */
export interface AdminRequest extends HttpRequest {
  readonly rights: AdminRights;
}

/** The right that a caller must have, before the route is asked. */
export type AdminNeed =
  /** Nothing: the route shows what each caller may see, or nothing that is secret. */
  | "nothing"
  /** To see, or to administer, agents of every type. */
  | "see-all"
  | "administer-all"
  /** To do so with agents of the type that the request names. */
  | "see"
  | "administer"
  | "read-state"
  | "write-state"
  /** Nothing: the answer is a page, of which the caller gets the rows whose `type` it may see. */
  | "rows";

/** One path with one method, and who may ask. */
export interface AdminRoute extends Omit<HttpRoute, "handle"> {
  readonly need: AdminNeed;
  readonly handle: (request: AdminRequest) => Promise<unknown>;
}

/** Holds the callers of a route to what they may see and do. */
export function guarded(
  { need, handle, ...route }: AdminRoute,
  rightsOf: (request: HttpRequest) => AdminRights,
): HttpRoute {
  return {
    ...route,
    handle: async (request) => {
      const rights = rightsOf(request);
      assertMay(need, request, rights);
      const answer = await handle({ ...request, rights });
      return need === "rows" ? withVisibleRows(answer, rights) : answer;
    },
  };
}

function assertMay(need: AdminNeed, { query }: HttpRequest, rights: AdminRights): void {
  switch (need) {
    case "nothing":
    case "rows":
      return;
    case "see-all":
      return rights.assertMay("see", "", { isPrefix: true });
    case "administer-all":
      return rights.assertMay("administer", "", { isPrefix: true });
    case "see":
    case "administer":
    case "read-state":
    case "write-state":
      return rights.assertMay(need, query.required("type"));
  }
}

function withVisibleRows(answer: unknown, rights: AdminRights): unknown {
  if (typeof answer !== "object" || answer === null || !("rows" in answer) || !Array.isArray(answer.rows))
    throw new HttpProblem(500, "handler-failed", "The list has no rows.");
  const rows = answer.rows.filter((row: { readonly type: string }) => rights.may("see", row.type));
  return { ...answer, rows };
}
