import type { CallRow, Failure } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { type ClusterPage, clusterPageParameters, clusterRows, textsIn } from "../cluster-rows.ts";

/** The newest failures. */
export interface FailurePage extends ClusterPage<Failure> {
  /** Failures that the hosts have forgotten, because they had no space for all. */
  readonly forgotten: number;
}

/** Calls under way, and what has failed. */
export function messageRoutes(host: AdminHost): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/calls", need: "nothing" },
      parameters: ["type", "key", "principal", "client", "minAgeMs", ...clusterPageParameters],
      handle: async (request): Promise<ClusterPage<CallRow>> => {
        const { query } = request;
        const minAgeMs = query.whole("minAgeMs", { from: 0, to: Number.MAX_SAFE_INTEGER });
        const filter = { ...textsIn(query, ["type", "key", "principal", "client"]), minAgeMs };
        const { rows, next, unanswered } = await clusterRows(host, "calls", request, filter);
        return { rows, next, unanswered };
      },
    },
    {
      ...{ method: "GET", path: "/v1/failures", need: "nothing" },
      parameters: [...failureParameters, ...clusterPageParameters],
      handle: (request): Promise<FailurePage> =>
        clusterRows(host, "failures", request, textsIn(request.query, failureParameters)),
    },
  ];
}

const failureParameters = ["kind", "type", "key", "topic", "code"] as const;
