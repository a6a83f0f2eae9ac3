import type { HttpRequest, HttpRequestHead, HttpRoute } from "../http/internal.ts";
import type { AdminRights } from "./admin-rights.ts";
import type { SealedCursors } from "./sealed-cursors.ts";
import { visiblePage } from "./visible-rows.ts";

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
export interface AdminRoute extends Omit<HttpRoute, "check" | "handle"> {
  readonly need: AdminNeed;
  /** Throws the problem that refuses a request before its body is read, beside `need`. */
  readonly check?: ((head: HttpRequestHead & { readonly rights: AdminRights }) => void) | undefined;
  readonly handle: (request: AdminRequest) => Promise<unknown>;
}

export interface GuardParts {
  readonly rightsOf: (head: HttpRequestHead) => AdminRights;
  readonly cursors: SealedCursors;
}

/** Holds the callers of a route to what they may see and do. */
export function guarded({ need, check, handle, ...route }: AdminRoute, { rightsOf, cursors }: GuardParts): HttpRoute {
  return {
    ...route,
    check: (head) => {
      const rights = rightsOf(head);
      assertMay(need, head, rights);
      check?.({ ...head, rights });
    },
    handle: async (request) => {
      const rights = rightsOf(request);
      if (need !== "rows") return await handle({ ...request, rights });
      const { query, signal } = request;
      return await visiblePage((asked) => handle({ ...request, query: asked, rights }), {
        ...{ query, rights, cursors, signal },
      });
    },
  };
}

function assertMay(need: AdminNeed, { query }: HttpRequestHead, rights: AdminRights): void {
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
