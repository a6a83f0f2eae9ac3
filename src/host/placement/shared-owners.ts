import { limits } from "../limits.ts";
import { type Claim, type Directory, granted, nobody } from "../registry/type-owners.ts";

/**
 * Any number of owners per agent type (as .NET's gateway, protocol.md §7): an agent is placed with an owner at random on
 * its first call and stays there while that owner does.
 */
export class SharedOwners implements Directory {
  readonly #owners = new Map<string, readonly string[]>();
  /** Which owner an agent was placed with, for all types together. It counts only while that owner has the type. */
  readonly #placements = new Map<string, string>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#owners.size;
  }

  claim(agentType: string, clientId: string): Claim {
    const owners = this.owners(agentType);
    if (!owners.includes(clientId)) this.#owners.set(agentType, [...owners, clientId]);
    return granted;
  }

  release(agentType: string, clientId: string): void {
    const rest = this.owners(agentType).filter((owner) => owner !== clientId);
    if (rest.length > 0) this.#owners.set(agentType, rest);
    else this.#owners.delete(agentType);
    if (this.#owners.size === 0) this.#placements.clear();
  }

  locate(agentType: string, key: string): string | undefined {
    const owners = this.owners(agentType);
    if (owners.length === 0) return undefined;
    if (key.length > limits.placementKeyChars) return owners[hashOf(key) % owners.length];
    const agent = `${agentType}/${key}`;
    const known = this.#placements.get(agent);
    if (known !== undefined && owners.includes(known)) return known;
    const owner = owners[Math.floor(this.#random() * owners.length)];
    if (owner !== undefined) this.#place(agent, owner);
    return owner;
  }

  owners(agentType: string): readonly string[] {
    return this.#owners.get(agentType) ?? nobody;
  }

  #place(agent: string, owner: string): void {
    if (this.#placements.size >= limits.placements && !this.#placements.has(agent)) {
      const oldest = this.#placements.keys().next();
      if (!oldest.done) this.#placements.delete(oldest.value);
    }
    this.#placements.set(agent, owner);
  }
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
