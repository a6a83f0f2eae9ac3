import { granted, type IsDeaf, nobody, type TypeClaim, type TypeOwners } from "../registry/type-owners.ts";

// protocol.md H25
/** One owner per agent type, as at Python's host: the first client to claim it, until the client releases it. */
export class SoleOwner implements TypeOwners {
  readonly #owners = new Map<string, readonly [string]>();
  readonly #isDeaf: IsDeaf;

  constructor(isDeaf: IsDeaf = () => false) {
    this.#isDeaf = isDeaf;
  }

  get size(): number {
    return this.#owners.size;
  }

  types(): Iterable<string> {
    return this.#owners.keys();
  }

  claim(agentType: string, clientId: string): TypeClaim {
    const holder = this.#owners.get(agentType)?.[0];
    if (holder === clientId) return granted;
    if (holder !== undefined && !this.#isDeaf(holder)) return { at: "held", by: holder };
    this.#owners.set(agentType, [clientId]);
    return holder === undefined ? granted : { at: "granted", from: holder };
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
