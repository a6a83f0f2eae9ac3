import { FairShare } from "../../transport/internal.ts";

/** Bytes of keys that a claim may have on average. */
const keyBytesPerClaim = 64;

/** The claims that a host takes, and the bytes of their keys. The clients of one address have two thirds of each. */
export class ClaimShares {
  readonly #claims: FairShare;
  readonly #keyBytes: FairShare;
  readonly #maxClaims: number;

  constructor(maxClaims: number) {
    this.#maxClaims = maxClaims;
    this.#claims = new FairShare(maxClaims);
    this.#keyBytes = new FairShare(maxClaims * keyBytesPerClaim);
  }

  get isHalfFull(): boolean {
    const { size } = this.#claims;
    return 2 * size >= this.#maxClaims || 2 * this.#keyBytes.size >= this.#maxClaims * keyBytesPerClaim;
  }

  /** Whether the address may have one more claim, with a key of so many bytes. */
  mayAdd(party: string, keyBytes: number): boolean {
    return this.#claims.mayAdd(party) && this.#keyBytes.mayAdd(party, keyBytes);
  }

  add(party: string, keyBytes: number): void {
    this.#claims.add(party);
    this.#keyBytes.add(party, keyBytes);
  }

  remove(party: string, keyBytes: number): void {
    this.#claims.remove(party);
    this.#keyBytes.remove(party, keyBytes);
  }
}
