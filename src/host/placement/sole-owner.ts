import { type Claim, type Directory, granted, nobody } from "../registry/type-owners.ts";

/** One owner per agent type: the first client to claim it, until it lets go (as Python's host, protocol.md H25). */
export class SoleOwner implements Directory {
  readonly #owners = new Map<string, readonly [string]>();

  get size(): number {
    return this.#owners.size;
  }

  claim(agentType: string, clientId: string): Claim {
    const holder = this.#owners.get(agentType)?.[0];
    if (holder !== undefined && holder !== clientId) return { at: "held", by: holder };
    if (holder === undefined) this.#owners.set(agentType, [clientId]);
    return granted;
  }

  release(agentType: string, clientId: string): void {
    if (this.#owners.get(agentType)?.[0] === clientId) this.#owners.delete(agentType);
  }

  locate(agentType: string): string | undefined {
    return this.#owners.get(agentType)?.[0];
  }

  owners(agentType: string): readonly string[] {
    return this.#owners.get(agentType) ?? nobody;
  }
}
