import { limits } from "../limits.ts";
import type { Placement } from "../placement/placement.ts";
import type { Registry } from "../registry/registry.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer } from "../sessions/peer.ts";

export interface ConnectionChangeParts {
  readonly registry: Registry;
  readonly owners: TypeOwners;
  readonly placement: Placement;
}

// protocol.md §11.14
/**
 * Registers shared types under the newest channel of a worker that is about to give them up on an older one. The worker will register them
 * anew. Without an owner a type ends with all its claims, and the messages under way would find no agent.
 */
export function keepSharedTypes(leaving: Peer, { registry, owners, placement }: ConnectionChangeParts): void {
  if (!owners.hasShared || !leaving.traits.capabilities.has("claims")) return;
  const newest = placement.channelsOf(leaving).at(-1);
  if (newest === undefined || newest === leaving) return;
  let count = 0;
  for (const agentType of registry.declaredBy(leaving.id).types) {
    const type = owners.shared(agentType);
    // Others keep the type.
    if (type === undefined || type.owners.length > 1 || type.unaware.has(leaving.id)) continue;
    count += 1;
    if (count > limits.typesOfChange) return;
    const { principal, terms: sharing } = type;
    registry.registerType(newest.id, agentType, { principal, sharing, account: newest.account });
  }
}
