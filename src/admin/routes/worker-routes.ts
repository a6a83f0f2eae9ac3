import { loggableText, TroupeError } from "../../core/internal.ts";
import type { DrainOutcome, RowAtHost, WorkerRow } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRequest, AdminRoute } from "../admin-route.ts";
import { type ClusterPage, clusterPageParameters, clusterRows } from "../cluster-rows.ts";

/** The outcome for a worker that was drained. */
export interface DrainReport {
  readonly workerId: string;
  readonly outcome: DrainOutcome;
}

/** The longest time for which a worker may be drained: a day, in milliseconds. */
export const longestGraceMs = 86_400_000;

export function workerRoutes(host: AdminHost): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/workers", parameters: clusterPageParameters, need: "see-all" },
      handle: async (request): Promise<ClusterPage<WorkerRow>> => {
        const { rows, next, unanswered } = await clusterRows(host, "workers", request, {});
        return { rows, next, unanswered };
      },
    },
    {
      ...{ method: "GET", path: "/v1/worker", parameters: ["id"], need: "see-all" },
      handle: async ({ query, rights, signal }): Promise<RowAtHost<WorkerRow>> =>
        workerOf(host, query.required("id"), { rights, signal }),
    },
    {
      ...{ method: "POST", path: "/v1/worker/drain", parameters: ["id", "graceMs"], need: "administer-all" },
      handle: async ({ query, rights, signal }): Promise<DrainReport> => {
        const workerId = query.required("id");
        const graceMs = query.whole("graceMs", { from: 0, to: longestGraceMs });
        const outcome = await host.drainWorker(workerId, { graceMs, signal });
        const there = outcome.at === "unknown" ? host.cluster?.hostOfWorker(workerId) : undefined;
        if (there === undefined) return { workerId, outcome };
        const question = { workerId, graceMs, principal: rights.principal };
        return { workerId, outcome: (await host.cluster?.drainWorker(there, question, signal)) ?? outcome };
      },
    },
  ];
}

/** Asks the host that has the worker, as far as is known which one does. */
async function workerOf(
  host: AdminHost,
  id: string,
  { rights, signal }: Pick<AdminRequest, "rights" | "signal">,
): Promise<RowAtHost<WorkerRow>> {
  const there = host.cluster?.hostOfWorker(id);
  const query = { filter: { id }, viewer: rights, host: there?.hostId, places: undefined, limit: 1 };
  const { rows, unanswered } = await host.rows("workers", query, signal);
  const [found] = rows;
  if (found !== undefined) return found;
  const [silent] = unanswered;
  if (silent === undefined)
    throw new TroupeError("not-found", "No worker with this id is connected. See troupe workers.");
  const text = `The host ${loggableText(silent.name || silent.hostId)} does not answer, and may have the worker: ${loggableText(silent.problem)}`;
  throw new TroupeError("disconnected", text);
}
