import { loggableText, TroupeError } from "../../core/internal.ts";
import type { DrainOutcome, InspectedWorker } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { cursorOf, formatCursor, limitOf, type Page, pageParameters } from "../pages.ts";

/** A connected worker. */
export interface WorkerRow extends InspectedWorker {
  /** Where its newest connection comes from. */
  readonly address: string;
  /** False: it is one of AutoGen's. */
  readonly isTroupe: boolean;
  /** Bytes that wait to be sent to it. */
  readonly queuedBytes: number;
}

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
      ...{ method: "GET", path: "/v1/workers", parameters: pageParameters, need: "see-all" },
      handle: async ({ query, signal }): Promise<Page<WorkerRow>> => {
        const after = cursorOf(query, (value) => typeof value === "string") ?? "";
        const limit = limitOf(query);
        const all = await workersOf(host, signal);
        const later = all.filter(({ workerId }) => workerId > after).sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
        const rows = later.slice(0, limit);
        const last = rows.at(-1)?.workerId;
        return { rows, next: last === undefined || rows.length === later.length ? null : formatCursor(last) };
      },
    },
    {
      ...{ method: "GET", path: "/v1/worker", parameters: ["id"], need: "see-all" },
      handle: async ({ query, signal }) => {
        const id = query.required("id");
        const found = (await workersOf(host, signal)).find(({ workerId }) => workerId === id);
        if (found !== undefined) return found;
        assertNotElsewhere(host, id);
        throw new TroupeError("not-found", "No worker with this id is connected. See troupe workers.");
      },
    },
    {
      ...{ method: "POST", path: "/v1/worker/drain", parameters: ["id", "graceMs"], need: "administer-all" },
      handle: async ({ query, signal }): Promise<DrainReport> => {
        const workerId = query.required("id");
        const graceMs = query.whole("graceMs", { from: 0, to: longestGraceMs });
        const outcome = await host.drainWorker(workerId, { graceMs, signal });
        if (outcome.at === "unknown") assertNotElsewhere(host, workerId);
        return { workerId, outcome };
      },
    },
  ];
}

/** Throws `wrong-state` for a worker of another host. */
function assertNotElsewhere({ cluster }: AdminHost, workerId: string): void {
  const name = cluster?.hostOfWorker(workerId);
  if (name === undefined) return;
  const host = loggableText(name);
  throw new TroupeError(
    "wrong-state",
    `The worker is at the host ${host} of the cluster. Ask that host: --name ${host}.`,
  );
}

/** All workers: a host has at most 10,000 channels, and gathers them in batches. */
async function workersOf(host: AdminHost, signal: AbortSignal): Promise<readonly WorkerRow[]> {
  const { workers, sessions } = await host.inspect({ maxTypes: 0, signal });
  const byClient = new Map(sessions.map((session) => [session.clientId, session]));
  return workers.map((worker) => {
    const channels = worker.clientIds.flatMap((clientId) => byClient.get(clientId) ?? []);
    const newest = channels.at(-1);
    return {
      ...worker,
      ...{ address: newest?.address ?? "", isTroupe: newest?.isAnnounced ?? false },
      queuedBytes: channels.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0),
    };
  });
}
