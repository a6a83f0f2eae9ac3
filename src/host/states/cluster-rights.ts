import { type AgentName, compareEpochs, type Epoch } from "../../core/internal.ts";
import type { StateFailure } from "../../protocol/internal.ts";
import type { ClusterRegistrations } from "../placement/agent-directory.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { Peer } from "../sessions/peer.ts";
import { isUnaware, namedForExclusive, notAuthorized, notServed, unawareOf } from "./right-refusals.ts";
import type { StateRight, StateRightsParts } from "./state-rights.ts";

type NamedEpoch = Epoch | "none" | undefined;

// protocol.md §12.8
/**
 * The right of a worker at a host of a cluster. What this host knows may be old: it refuses what it knows to be superseded, and names the epoch of
 * everything else. Whether that is still the newest one, the state store decides when it writes.
 */
export function rightInCluster(parts: StateRightsParts, from: Peer, agent: AgentName, named: NamedEpoch): StateRight {
  const { owners, calls, directory } = parts;
  const { type } = agent;
  const shared = owners.shared(type);
  if (calls.hasLost(from, type)) return { at: "superseded", epoch: directory.newestEpoch(shared ?? owners) };
  const { cluster } = directory;
  if (cluster === undefined) return notServed(type);
  return shared === undefined
    ? ofExclusive(parts, { from, type, cluster }, named)
    : ofShared(parts, { from, agent, shared, cluster }, named);
}

interface ExclusiveAsk {
  readonly from: Peer;
  readonly type: string;
  readonly cluster: ClusterRegistrations;
}

/** Agents of an exclusive type are written under the epoch of its record. Their worker may have registered it at another host. */
function ofExclusive(
  { owners, calls }: StateRightsParts,
  { from, type, cluster }: ExclusiveAsk,
  named: NamedEpoch,
): StateRight {
  if (typeof named === "object") return namedForExclusive;
  const place = cluster.exclusive(type);
  if (place !== undefined && place.workerId === from.worker.id) return { at: "granted", epoch: place.epoch };
  // A worker that leaves has given up its types, and still finishes the calls that it took.
  const hasServed = owners.owners(type).includes(from.id) || calls.hasGivenUp(from, type);
  if (!hasServed) return notServed(type);
  if (place === undefined) return unknownType(type);
  const { workerId, epoch } = place;
  return workerId === undefined ? { at: "granted", epoch } : { at: "superseded", epoch };
}

interface SharedAsk extends Omit<ExclusiveAsk, "type"> {
  readonly agent: AgentName;
  readonly shared: SharedType;
}

/** The worker names the epoch that a host has told it. It may be another host, and the turn may have begun there. */
function ofShared(
  { owners, calls, directory, placement }: StateRightsParts,
  { from, agent: { type, key }, shared, cluster }: SharedAsk,
  named: NamedEpoch,
): StateRight {
  if (isUnaware(from, shared)) return unawareOf(type);
  const serves =
    owners.owners(type).includes(from.id) || cluster.serves(type, from.worker.id) || calls.hasGivenUp(from, type);
  if (!serves) return notServed(type);
  const claim = directory.find(shared, key);
  if (placement.isRevoked(from)) return { at: "superseded", epoch: claim?.epoch ?? directory.newestEpoch(shared) };
  if (claim !== undefined) {
    const isPresent =
      claim.workerId === from.worker.id && (typeof named !== "object" || compareEpochs(claim.epoch, named) === 0);
    return isPresent ? { at: "granted", epoch: claim.epoch } : { at: "superseded", epoch: claim.epoch };
  }
  if (named === "none") return { at: "granted", epoch: directory.newestEpoch(shared) };
  if (named !== undefined && named.generation <= cluster.generation) return { at: "granted", epoch: named };
  return notAuthorized(
    "No host has sent this worker a message for the agent under such an epoch, so that the worker does not hold it.",
  );
}

function unknownType(agentType: string): StateFailure {
  const name = JSON.stringify(agentType.slice(0, 100));
  const text = `This host does not know yet which worker of its cluster serves the agent type ${name}. Try again later.`;
  return { at: "failed", code: "state-unavailable", text };
}
