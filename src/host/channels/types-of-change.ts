import type { GivenUp } from "../calls/given-up-types.ts";
import { limits } from "../limits.ts";
import type { Placement } from "../placement/placement.ts";
import type { Registry } from "../registry/registry.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { TypesBetween } from "../registry/types-between.ts";
import type { Peer } from "../sessions/peer.ts";

export interface ConnectionChangeParts {
  readonly registry: Registry;
  readonly owners: TypeOwners;
  readonly placement: Placement;
  readonly between: TypesBetween;
}

// protocol.md §11.14, §11.15
/**
 * Keeps the types of a worker that is about to lose them with an older channel. It will register them anew. Shared types go to its newest
 * channel, with their subscriptions: without an owner a type ends with all its claims, and messages find no agent.
 */
export function keepTypes(ending: Peer, { registry, owners, placement, between }: ConnectionChangeParts): void {
  const newest = placement.channelsOf(ending).at(-1);
  if (newest === undefined || newest === ending) return;
  const exclusive: string[] = [];
  const moved = new Set<string>();
  let count = 0;
  for (const agentType of registry.declaredBy(ending.id).types) {
    count += 1;
    if (count > limits.typesOfChange) break;
    const type = owners.hasShared ? owners.shared(agentType) : undefined;
    if (type === undefined) {
      exclusive.push(agentType);
      continue;
    }
    if (type.unaware.has(ending.id) || !ending.traits.capabilities.has("claims")) continue;
    const { principal, terms: sharing } = type;
    const outcome = registry.registerType(newest.id, agentType, { principal, sharing, account: newest.account });
    if (outcome.at === "registered") moved.add(agentType);
  }
  between.keep(newest, exclusive);
  if (moved.size > 0) keepSubscriptions(ending, newest, moved, registry);
}

function keepSubscriptions(ending: Peer, newest: Peer, types: ReadonlySet<string>, registry: Registry): void {
  const { principal } = registry.ownerOf(ending.id) ?? {};
  let count = 0;
  for (const { id, pattern } of registry.subscriptionsOf(ending.id)) {
    if (pattern === undefined || !types.has(pattern.agentType)) continue;
    count += 1;
    if (count > limits.typesOfChange) return;
    registry.addSubscription(newest.id, { id, pattern }, { principal, account: newest.account });
  }
}

const noTypes: ReadonlySet<string> = new Set();

/** The types that a worker gives up. When it has done so, nothing else says which were shared. */
export function typesToGiveUp(
  leaving: Peer,
  { registry, owners, placement }: ConnectionChangeParts,
): Pick<GivenUp, "shared" | "revoked"> {
  const shared = owners.hasShared
    ? new Set([...registry.declaredBy(leaving.id).types].filter((type) => owners.shared(type) !== undefined))
    : noTypes;
  // protocol.md §11.17 L10
  return { shared, revoked: placement.isRevoked(leaving) ? shared : noTypes };
}
