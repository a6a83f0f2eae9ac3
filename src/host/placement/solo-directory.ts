import { compareEpochs, type Epoch } from "../../core/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { AgentDirectory, Claim, ClaimOutcome, ClaimPage, ClaimQuery, ClaimRequest } from "./agent-directory.ts";
import { ClaimTable, mostKeyChars } from "./claim-table.ts";

export interface SoloDirectoryParts {
  readonly maxClaims: number;
  /** Frees what the claims of a worker that is gone take. */
  readonly batches: BatchRunner;
  /** The number of the host's opening of its state store: it decides first between two epochs. */
  readonly generation: () => number;
}

/** Bytes of keys that a claim may have on average. */
const keyBytesPerClaim = 64;
/** Entries that one task passes over while it looks for those of a type that is gone, and that one page of a list does. */
const sweptAtOnce = 1_000;
const pageSize = 100;

// protocol.md §11.14
/** The directory of a host without a cluster: its own table. */
export class SoloDirectory implements AgentDirectory {
  readonly #table = new ClaimTable();
  readonly #share: FairShare;
  readonly #parts: SoloDirectoryParts;
  #lastNumber = 0;

  constructor(parts: SoloDirectoryParts) {
    this.#parts = parts;
    this.#share = new FairShare(parts.maxClaims);
  }

  /** Counts claims that are void and not freed yet, too. */
  get size(): number {
    return this.#table.size;
  }

  find(type: SharedType, key: string): Claim | undefined {
    const entry = this.#table.find(idOf(type), key);
    if (entry < 0 || this.#table.isParted(entry)) return undefined;
    return this.#claimOf(type, key, entry);
  }

  holds(type: SharedType, key: string, workerId: string, epoch: Epoch): boolean {
    const claim = this.find(type, key);
    return claim !== undefined && claim.workerId === workerId && compareEpochs(claim.epoch, epoch) === 0;
  }

  claim({ type, key, workerId, party }: ClaimRequest): ClaimOutcome {
    const table = this.#table;
    const id = idOf(type);
    if (key.length > mostKeyChars)
      return { at: "full", reason: `The agent's key is longer than ${mostKeyChars} characters.` };
    const known = table.find(id, key);
    if (known >= 0) {
      if (!table.isParted(known)) return { at: "held", claim: this.#claimOf(type, key, known) };
      this.#delete(known);
    }
    const { maxClaims } = this.#parts;
    if (!this.#share.mayAdd(party) || table.keyBytes > maxClaims * keyBytesPerClaim) {
      const reason = `This host knows the places of ${table.size} agents, and takes no more of this address (maxClaims: ${maxClaims}).`;
      return { at: "full", reason };
    }
    this.#lastNumber += 1;
    this.#share.add(party);
    return {
      at: "held",
      claim: this.#claimOf(type, key, table.add({ type: id, key, workerId, number: this.#lastNumber, party })),
    };
  }

  letGo(type: SharedType, claim: Claim): boolean {
    if (!this.holds(type, claim.key, claim.workerId, claim.epoch)) return false;
    this.#delete(this.#table.find(idOf(type), claim.key));
    return true;
  }

  workerGone(workerId: string): void {
    const parted = this.#table.part(workerId);
    this.#parts.batches.add(this, this.#deletionsOf(parted));
  }

  typeGone(type: SharedType): void {
    this.#parts.batches.add(this, this.#sweepsOf(idOf(type)));
  }

  list({ type, workerId, after = 0, limit = pageSize }: ClaimQuery = {}): ClaimPage {
    const claims: Claim[] = [];
    let seen = 0;
    for (let at = this.#table.nextUsed(after); at >= 0; at = this.#table.nextUsed(at + 1)) {
      if (claims.length >= limit || seen >= sweptAtOnce) return { claims, next: at };
      seen += 1;
      if (this.#table.isParted(at)) continue;
      const { type: id, key, workerId: holder, number } = this.#table.read(at);
      const [era, name] = partsOf(id);
      if ((type !== undefined && type !== name) || (workerId !== undefined && workerId !== holder)) continue;
      const epoch = { generation: this.#parts.generation(), era, number };
      claims.push({ type: name, key, workerId: holder, epoch });
    }
    return { claims, next: undefined };
  }

  claimsOf(workerId: string, limit: number, isPassedBy: (claim: Claim) => boolean): readonly Claim[] {
    const claims: Claim[] = [];
    for (let at = this.#table.lastOf(workerId); at >= 0 && claims.length < limit; at = this.#table.before(at)) {
      const { type: id, key, number } = this.#table.read(at);
      const [era, type] = partsOf(id);
      const claim = { type, key, workerId, epoch: { generation: this.#parts.generation(), era, number } };
      if (!isPassedBy(claim)) claims.push(claim);
    }
    return claims;
  }

  newestEpoch({ era }: SharedType): Epoch {
    return { generation: this.#parts.generation(), era, number: this.#lastNumber };
  }

  countOf(workerId: string): number {
    return this.#table.countOf(workerId);
  }

  #claimOf(type: SharedType, key: string, entry: number): Claim {
    const epoch = { generation: this.#parts.generation(), era: type.era, number: this.#table.numberOf(entry) };
    return { type: type.name, key, workerId: this.#table.workerOf(entry), epoch };
  }

  #delete(entry: number): void {
    this.#share.remove(this.#table.partyOf(entry));
    this.#table.delete(entry);
  }

  *#deletionsOf(entries: Iterable<number>): Iterable<() => void> {
    for (const entry of entries) yield () => this.#delete(entry);
  }

  *#sweepsOf(id: string): Iterable<() => void> {
    let from = 0;
    while (from >= 0) {
      yield () => {
        for (let left = sweptAtOnce; left > 0 && from >= 0; left -= 1) {
          const entry = this.#table.nextUsed(from);
          if (entry >= 0 && this.#table.read(entry).type === id) this.#delete(entry);
          from = entry < 0 ? entry : entry + 1;
        }
      };
    }
  }
}

/** Types of one name that were shared at different times have different names in the table. */
function idOf({ era, name }: SharedType): string {
  return `${era}:${name}`;
}

function partsOf(id: string): readonly [era: number, name: string] {
  const colon = id.indexOf(":");
  return [Number(id.slice(0, colon)), id.slice(colon + 1)];
}
