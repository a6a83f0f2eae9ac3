import type { RowKinds } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { type ClusterPage, clusterPageParameters, clusterRows, textsIn } from "../cluster-rows.ts";

/** Sessions, and the types that their workers serve. */
export function sessionRoutes(host: AdminHost): readonly AdminRoute[] {
  return [
    listRoute(host, "sessions", ["type", "principal", "address"]),
    listRoute(host, "types", ["type"]),
    listRoute(host, "topics", ["type", "topic", "reachedBy", "principal"]),
  ];
}

/** A list that shows each caller what it may see. `filters`: its parameters beside those of every list. */
function listRoute<Kind extends "sessions" | "types" | "topics">(
  host: AdminHost,
  kind: Kind,
  filters: readonly string[],
): AdminRoute {
  return {
    ...{ method: "GET", path: `/v1/${kind}`, parameters: [...filters, ...clusterPageParameters], need: "nothing" },
    handle: async (request): Promise<ClusterPage<RowKinds[Kind]>> => {
      const { rows, next, unanswered } = await clusterRows(host, kind, request, textsIn(request.query, filters));
      return { rows, next, unanswered };
    },
  };
}
