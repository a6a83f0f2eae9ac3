import { type Claim, type Directory, granted, nobody } from "./directory.ts";
import { limits } from "./limits.ts";

interface SharedType {
  owners: readonly string[];
  /** Which owner the agent with a key was placed with. */
  readonly placements: Map<string, string>;
}

/**
 * Any number of owners per agent type (as .NET's gateway, protocol.md §7): an agent is placed with an owner at random on
 * its first call and stays there while that owner does.
 */
export class SharedOwnerDirectory implements Directory {
  readonly #types = new Map<string, SharedType>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#types.size;
  }

  claim(agentType: string, clientId: string): Claim {
    const shared = this.#types.get(agentType);
    if (shared === undefined) this.#types.set(agentType, { owners: [clientId], placements: new Map() });
    else if (!shared.owners.includes(clientId)) shared.owners = [...shared.owners, clientId];
    return granted;
  }

  release(agentType: string, clientId: string): void {
    const shared = this.#types.get(agentType);
    if (shared === undefined) return;
    shared.owners = shared.owners.filter((owner) => owner !== clientId);
    if (shared.owners.length === 0) this.#types.delete(agentType);
    else for (const [key, owner] of shared.placements) if (owner === clientId) shared.placements.delete(key);
  }

  locate(agentType: string, key: string): string | undefined {
    const shared = this.#types.get(agentType);
    if (shared === undefined) return undefined;
    const known = shared.placements.get(key);
    if (known !== undefined) return known;
    const owner = shared.owners[Math.floor(this.#random() * shared.owners.length)];
    if (owner !== undefined) this.#place(shared, key, owner);
    return owner;
  }

  owners(agentType: string): readonly string[] {
    return this.#types.get(agentType)?.owners ?? nobody;
  }

  #place({ placements }: SharedType, key: string, owner: string): void {
    if (placements.size >= limits.placementsPerType) {
      const oldest = placements.keys().next();
      if (!oldest.done) placements.delete(oldest.value);
    }
    placements.set(key, owner);
  }
}
