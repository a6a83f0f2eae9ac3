import { hashOfText } from "../../core/internal.ts";
import { limits } from "../limits.ts";
import { granted, type IsDeaf, nobody, type TypeClaim, type TypeOwners } from "../registry/type-owners.ts";

export interface SharedOwnersOptions {
  /** Clients that answer no calls. Default: none. */
  readonly isDeaf?: IsDeaf;
  /** Memory of the remembered placements, in bytes. Default: 64 MiB. */
  readonly maxPlacementBytes?: number;
}

// protocol.md §7
/**
 * Any number of owners per agent type, as at .NET's gateway. The first call to an agent places it with a random owner, and the
 * agent stays there while that owner serves the type.
 */
export class SharedOwners implements TypeOwners {
  readonly #owners = new Map<string, readonly string[]>();
  /** The owner of each placed agent, for all types together. It counts only while that owner has the type. */
  readonly #placements = new Map<string, string>();
  readonly #random: () => number;
  readonly #isDeaf: IsDeaf;
  readonly #maxPlacementBytes: number;
  #placementBytes = 0;

  constructor(
    random: () => number,
    { isDeaf = nobodyIsDeaf, maxPlacementBytes = defaultPlacementBytes }: SharedOwnersOptions = {},
  ) {
    this.#random = random;
    this.#isDeaf = isDeaf;
    this.#maxPlacementBytes = maxPlacementBytes;
  }

  get size(): number {
    return this.#owners.size;
  }

  /** The owners share whole types, and no agent has a place that counts. */
  readonly hasShared = false;
  readonly era = 0;
  readonly version = 0;

  shared(): undefined {
    return undefined;
  }

  sharesHere(): boolean {
    return false;
  }

  sharedTypes(): readonly never[] {
    return [];
  }

  types(): Iterable<string> {
    return this.#owners.keys();
  }

  claim(agentType: string, clientId: string): TypeClaim {
    const owners = this.owners(agentType);
    if (!owners.includes(clientId)) this.#owners.set(agentType, [...owners, clientId]);
    return granted;
  }

  release(agentType: string, clientId: string): void {
    const rest = this.owners(agentType).filter((owner) => owner !== clientId);
    if (rest.length > 0) this.#owners.set(agentType, rest);
    else this.#owners.delete(agentType);
    if (this.#owners.size > 0) return;
    this.#placements.clear();
    this.#placementBytes = 0;
  }

  locate(agentType: string, key: string): string | undefined {
    const owners = this.#answering(agentType);
    if (owners.length === 0) return undefined;
    if (key.length > limits.placementKeyChars) return owners[hashOfText(key) % owners.length];
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

  /** The owners that answer calls; all of them if none does. */
  #answering(agentType: string): readonly string[] {
    const owners = this.owners(agentType);
    if (owners.length < 2 || !owners.some(this.#isDeaf)) return owners;
    const answering = owners.filter((owner) => !this.#isDeaf(owner));
    return answering.length > 0 ? answering : owners;
  }

  #place(agent: string, owner: string): void {
    if (!this.#placements.has(agent)) this.#placementBytes += costOf(agent);
    this.#placements.set(agent, owner);
    for (const oldest of this.#placements.keys()) {
      if (this.#placements.size <= limits.placements && this.#placementBytes <= this.#maxPlacementBytes) return;
      this.#placements.delete(oldest);
      this.#placementBytes -= costOf(oldest);
    }
  }
}

const nobodyIsDeaf: IsDeaf = () => false;
const defaultPlacementBytes = 64 * 1024 * 1024;

/** Memory of a placement: an entry of the map and the name. The owner's id is the client's. */
function costOf(agent: string): number {
  return 100 + 2 * agent.length;
}
