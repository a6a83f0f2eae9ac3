import type { ClusterMember } from "../../cluster/internal.ts";
import { TroupeError } from "../../core/internal.ts";
import type { HostComposition } from "../compose.ts";
import { AgentRoutes } from "../placement/cluster/agent-routes.ts";
import { ClusterDirectory } from "../placement/cluster/cluster-directory.ts";
import { placesOf } from "../placement/cluster/cluster-places.ts";
import type { HeldClaimsTable } from "../placement/cluster/held-claims-table.ts";
import { TypeTable } from "../placement/type-table.ts";
import { parseTerms } from "../registry/shared-terms.ts";
import { SharedType } from "../registry/shared-type.ts";

export interface ShareAgentsOptions {
  /** The present life of the host. */
  readonly member: () => ClusterMember;
  /** The claims of each life. */
  readonly held: HeldClaimsTable;
  readonly maxRoutes: number;
  readonly moveTimeoutMs: number;
}

// protocol.md §12.8
/** Makes a host share agent types with the other hosts of its cluster, before workers connect to it. */
export function shareAgents(host: HostComposition, options: ShareAgentsOptions): AgentRoutes {
  const { member, held, maxRoutes, moveTimeoutMs } = options;
  const {
    owners,
    directory,
    placement,
    workers,
    leaving,
    messages,
    batches,
    counters,
    observers,
    others,
    across,
    flushes,
  } = host;
  if (!(owners instanceof TypeTable)) {
    const text = "A host of a cluster can't let several clients own a type: leave allowMultipleOwners out.";
    throw new TroupeError("invalid-argument", text);
  }
  const places = placesOf(member);
  const { clock, maxClaims } = host.options;
  const claims = new ClusterDirectory({ held, places, versions: directory.versions, maxClaims });
  directory.use(claims);
  const types = new Map<string, SharedType>();
  owners.shareWith((name) => {
    const record = places.sharedType(name);
    const known = types.get(name);
    if (record === undefined || known?.era === record.era) return record && known;
    const type = new SharedType({ name, ...parseTerms(record.terms), era: record.era });
    types.set(name, type);
    return type;
  });
  const routes = new AgentRoutes({
    ...{ places, directory, placement, workers, leaving, messages, batches, clock, counters, observers },
    ...{ flushes, maxRoutes, moveTimeoutMs, sharedType: (name) => owners.shared(name) },
    sleepers: claims,
    others: {
      workerOf: (workerId) => others.now.workerOf(workerId),
      isLost: (workerId) => others.now.isLost(workerId),
    },
  });
  across.now = routes;
  return routes;
}
