import { Buffer } from "node:buffer";
import { compareEpochs, type Epoch } from "../../core/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type {
  AgentDirectory,
  Claim,
  ClaimOutcome,
  ClaimPage,
  ClaimQuery,
  ClaimRequest,
  LetGoOutcome,
} from "./agent-directory.ts";
import { ClaimShares } from "./claim-shares.ts";
import { ClaimTable, mostKeyChars } from "./claim-table.ts";
import { PlaceVersions } from "./place-versions.ts";

export interface SoloDirectoryParts {
  readonly maxClaims: number;
  /** Frees what the claims of a worker that is gone take. */
  readonly batches: BatchRunner;
  /** The number of the host's opening of its state store: it decides first between two epochs. */
  readonly generation: () => number;
}

/** Entries that one task passes over while it looks for those of types that are gone, and that one page of a list does. */
const sweptAtOnce = 1_000;
const listedAtOnce = 200;
/** A claim that is freed takes the time of 50 entries that are passed over. */
const entriesPerFreed = 50;
const pageSize = 100;

// protocol.md §11.14
/** The directory of a host without a cluster: its own table. */
export class SoloDirectory implements AgentDirectory {
  readonly versions: PlaceVersions;
  readonly cluster = undefined;
  readonly #table = new ClaimTable();
  readonly #shares: ClaimShares;
  readonly #parts: SoloDirectoryParts;
  /** Types that are gone and still have claims; where the search for these continues. One search finds those of all. */
  readonly #gone = new Set<string>();
  #sweptTo = 0;
  #isSweeping = false;
  #lastNumber = 0;

  constructor(parts: SoloDirectoryParts) {
    this.#parts = parts;
    this.#shares = new ClaimShares(parts.maxClaims);
    this.versions = new PlaceVersions(parts.generation);
  }

  /** Counts claims that are void and not freed yet, too. */
  get size(): number {
    return this.#table.size;
  }

  find(type: SharedType, key: string): Claim | undefined {
    const entry = this.#table.find(type.id, key);
    if (entry < 0 || this.#table.isParted(entry)) return undefined;
    return this.#claimOf(type, key, entry);
  }

  holds(type: SharedType, key: string, workerId: string, epoch: Epoch): boolean {
    const claim = this.find(type, key);
    return claim !== undefined && claim.workerId === workerId && compareEpochs(claim.epoch, epoch) === 0;
  }

  claim({ type, key, workerId, party }: ClaimRequest): Extract<ClaimOutcome, { at: "held" | "full" }> {
    const table = this.#table;
    const id = type.id;
    if (key.length > mostKeyChars)
      return { at: "full", reason: `The agent's key is longer than ${mostKeyChars} characters.` };
    const known = table.find(id, key);
    if (known >= 0) {
      if (!table.isParted(known)) return { at: "held", claim: this.#claimOf(type, key, known) };
      this.#delete(known);
    }
    const { maxClaims } = this.#parts;
    const keyBytes = Buffer.byteLength(key);
    if (!this.#shares.mayAdd(party, keyBytes)) {
      const reason = `This host knows the places of ${table.size} agents, and takes no more of this address (maxClaims: ${maxClaims}).`;
      return { at: "full", reason };
    }
    this.#lastNumber += 1;
    this.#shares.add(party, keyBytes);
    this.versions.changed(key);
    return {
      at: "held",
      claim: this.#claimOf(type, key, table.add({ type: id, key, workerId, number: this.#lastNumber, party })),
    };
  }

  freeze(): undefined {
    return undefined;
  }

  letGo(type: SharedType, claim: Claim): LetGoOutcome {
    if (!this.holds(type, claim.key, claim.workerId, claim.epoch)) return "lost";
    this.#delete(this.#table.find(type.id, claim.key));
    this.versions.changed(claim.key);
    return "done";
  }

  stays(): void {
    // Nothing was frozen.
  }

  workerGone(workerId: string): void {
    const parted = this.#table.part(workerId);
    this.versions.changedAll();
    this.#parts.batches.add(this, this.#deletionsOf(parted));
  }

  typeGone(type: SharedType): void {
    const id = type.id;
    if (!this.#table.hasType(id)) return;
    this.#gone.add(id);
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#parts.batches.add(this.#gone, this.#sweeps());
  }

  list({ type, workerId, after = 0, limit = pageSize }: ClaimQuery = {}): ClaimPage {
    const claims: Claim[] = [];
    const suffix = `:${type ?? ""}`;
    let seen = 0;
    for (let at = this.#table.nextUsed(after); at >= 0; at = this.#table.nextUsed(at + 1)) {
      if (claims.length >= limit || seen >= listedAtOnce) return { claims, next: at };
      seen += 1;
      const id = this.#table.typeOf(at);
      if (type !== undefined && !id.endsWith(suffix)) continue;
      if (workerId !== undefined && workerId !== this.#table.workerOf(at)) continue;
      if (this.#table.isParted(at) || this.#gone.has(id)) continue;
      const { key, workerId: holder, number } = this.#table.read(at);
      const [era, name] = partsOf(id);
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

  newestEpoch({ era }: Pick<SharedType, "era">): Epoch {
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
    const type = this.#gone.size > 0 ? this.#table.typeOf(entry) : undefined;
    this.#shares.remove(this.#table.partyOf(entry), this.#table.keyLengthOf(entry));
    this.#table.delete(entry);
    if (type !== undefined && !this.#table.hasType(type)) this.#gone.delete(type);
  }

  *#deletionsOf(entries: Iterable<number>): Iterable<() => void> {
    for (const entry of entries) yield () => this.#delete(entry);
  }

  /** Passes over all entries, from the last to the first again, until no type that is gone has claims. */
  *#sweeps(): Iterable<() => void> {
    while (this.#gone.size > 0) yield () => this.#sweep();
    this.#isSweeping = false;
  }

  #sweep(): void {
    const table = this.#table;
    for (let left = sweptAtOnce; left > 0 && this.#gone.size > 0; left -= 1) {
      if (this.#sweptTo >= table.end) this.#sweptTo = 0;
      const entry = this.#sweptTo;
      this.#sweptTo += 1;
      if (!table.isUsed(entry)) continue;
      if (!this.#gone.has(table.typeOf(entry))) continue;
      this.#delete(entry);
      left -= entriesPerFreed;
    }
  }
}

/** Returns the era and the name of a type of which the table knows the id. */
function partsOf(id: string): readonly [era: number, name: string] {
  const colon = id.indexOf(":");
  return [Number(id.slice(0, colon)), id.slice(colon + 1)];
}
