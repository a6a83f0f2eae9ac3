import type { CoordinationReport } from "../../cluster/internal.ts";
import { errorText, loggableText, TroupeError } from "../../core/internal.ts";
import type { ClusterHost, ClusterReport } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { clusterProblems } from "../cluster-problems.ts";
import { cursorOf, formatCursor, limitOf, type Page, pageParameters } from "../pages.ts";
import { longestGraceMs } from "./worker-routes.ts";

/** A host of the cluster. */
export type HostRow = ClusterHost;

/** The cluster, with what is wrong in it. */
export interface ClusterAnswer extends ClusterReport {
  /** The servers of the coordination store. Null: they can't be asked; `storeProblem` says why. */
  readonly store: CoordinationReport | null;
  readonly storeProblem: string | null;
  /** Texts that each say something that is wrong, and what to do. */
  readonly problems: readonly string[];
}

/** A host that has begun to drain. */
export interface HostDrainReport {
  readonly hostId: string;
}

export function clusterRoutes(
  host: AdminHost,
  inspectStore: (() => Promise<CoordinationReport>) | undefined,
): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/hosts", parameters: pageParameters, need: "see-all" },
      handle: async ({ query, signal }): Promise<Page<HostRow>> => {
        const after = cursorOf(query, (value) => typeof value === "string");
        const limit = limitOf(query);
        const { hosts } = await clusterOf(host).report(signal);
        const place = after === undefined ? -1 : hosts.findIndex(({ hostId }) => hostId === after);
        const rows = hosts.slice(place + 1, place + 1 + limit);
        const last = rows.at(-1)?.hostId;
        const isLast = last === undefined || last === hosts.at(-1)?.hostId;
        return { rows, next: isLast ? null : formatCursor(last) };
      },
    },
    {
      ...{ method: "GET", path: "/v1/cluster", parameters: [], need: "see-all" },
      handle: async ({ signal }): Promise<ClusterAnswer> => {
        const [report, asked] = await Promise.all([clusterOf(host).report(signal), askStore(inspectStore)]);
        const answer = { ...report, ...asked };
        return { ...answer, problems: clusterProblems(answer) };
      },
    },
    {
      ...{ method: "POST", path: "/v1/host/drain", parameters: ["id", "graceMs"], need: "administer-all" },
      handle: async ({ query, signal }): Promise<HostDrainReport> => {
        const hostId = query.required("id");
        const graceMs = query.whole("graceMs", { from: 0, to: longestGraceMs });
        await clusterOf(host).drainHost(hostId, { graceMs, signal });
        return { hostId };
      },
    },
  ];
}

function clusterOf({ cluster }: AdminHost): NonNullable<AdminHost["cluster"]> {
  if (cluster !== undefined) return cluster;
  throw new TroupeError("wrong-state", "This host is alone. A host of a cluster is started with --cluster.");
}

async function askStore(
  inspectStore: (() => Promise<CoordinationReport>) | undefined,
): Promise<Pick<ClusterAnswer, "store" | "storeProblem">> {
  if (inspectStore === undefined) return { store: null, storeProblem: null };
  try {
    return { store: await inspectStore(), storeProblem: null };
  } catch (error) {
    return { store: null, storeProblem: loggableText(errorText(error)) };
  }
}
