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
 * channel: without an owner a type ends with all its claims, and the messages under way find no agent.
 */
export function keepTypes(ending: Peer, { registry, owners, placement, between }: ConnectionChangeParts): void {
  const newest = placement.channelsOf(ending).at(-1);
  if (newest === undefined || newest === ending) return;
  const exclusive: string[] = [];
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
    registry.registerType(newest.id, agentType, { principal, sharing, account: newest.account });
  }
  between.keep(newest, exclusive);
}
