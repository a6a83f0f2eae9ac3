import type { AgentName, Epoch } from "../../core/internal.ts";

/** A claim that this host has made for a worker that it serves. */
export interface HeldClaim {
  readonly agent: AgentName;
  readonly workerId: string;
  /** The claim counts for this session of the worker alone. With the next one it is written again before it is used. */
  readonly session: number;
  readonly epoch: Epoch;
  /** Of the last write that is known to have succeeded. */
  readonly revision: number;
  /** When it must not be used any more without a write, by this host's clock. */
  readonly usableUntilMs: number;
  /** When it is refreshed. */
  readonly refreshMs: number;
  /** Its agent has ended. The claim is not refreshed until the next message. */
  readonly isAsleep: boolean;
}

/** The claims that a host holds. A host may bring a table of its own. */
export interface HeldClaims {
  readonly size: number;
  get(agent: AgentName): HeldClaim | undefined;
  /** Whether there is room for a claim of this agent. */
  hasRoomFor(agent: AgentName): boolean;
  /** Enters a claim in place of the one of the same agent. */
  set(claim: HeldClaim): void;
  delete(agent: AgentName): void;
  /** Removes all claims of a worker. */
  deleteOf(workerId: string): void;
  /** The claims of a worker. */
  of(workerId: string): Iterable<HeldClaim>;
  /** Returns the claims that follow those of the last call. After the last claim it begins anew. */
  next(count: number): HeldClaim[];
}

/** Bytes that an entry takes beside its texts, as a guess from above. */
const entryBytes = 500;

/** Options of `HeldClaimsMap`. */
export interface HeldClaimsMapOptions {
  /** Default: 2 000 000. */
  readonly maxClaims?: number | undefined;
  /** Default: 1 GiB. */
  readonly maxBytes?: number | undefined;
}

/** Claims in a map. A claim takes some 500 bytes. */
export class HeldClaimsMap implements HeldClaims {
  readonly #maxClaims: number;
  readonly #maxBytes: number;
  readonly #claims = new Map<string, HeldClaim>();
  readonly #byWorker = new Map<string, Map<string, HeldClaim>>();
  #round: Iterator<HeldClaim> | undefined;
  #bytes = 0;

  constructor({ maxClaims = 2_000_000, maxBytes = 1_024 ** 3 }: HeldClaimsMapOptions = {}) {
    this.#maxClaims = maxClaims;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#claims.size;
  }

  get(agent: AgentName): HeldClaim | undefined {
    return this.#claims.get(textOf(agent));
  }

  hasRoomFor(agent: AgentName): boolean {
    if (this.#claims.has(textOf(agent))) return true;
    return this.#claims.size < this.#maxClaims && this.#bytes + sizeOf(agent) <= this.#maxBytes;
  }

  set(claim: HeldClaim): void {
    this.delete(claim.agent);
    const text = textOf(claim.agent);
    this.#claims.set(text, claim);
    this.#bytes += sizeOf(claim.agent);
    const ofWorker = this.#byWorker.get(claim.workerId);
    if (ofWorker === undefined) this.#byWorker.set(claim.workerId, new Map([[text, claim]]));
    else ofWorker.set(text, claim);
  }

  delete(agent: AgentName): void {
    const text = textOf(agent);
    const claim = this.#claims.get(text);
    if (claim === undefined) return;
    this.#claims.delete(text);
    this.#bytes -= sizeOf(agent);
    const ofWorker = this.#byWorker.get(claim.workerId);
    ofWorker?.delete(text);
    if (ofWorker?.size === 0) this.#byWorker.delete(claim.workerId);
  }

  deleteOf(workerId: string): void {
    for (const { agent } of this.of(workerId)) this.delete(agent);
  }

  of(workerId: string): HeldClaim[] {
    return [...(this.#byWorker.get(workerId)?.values() ?? [])];
  }

  next(count: number): HeldClaim[] {
    const claims: HeldClaim[] = [];
    while (claims.length < count) {
      this.#round ??= this.#claims.values();
      const { value, done } = this.#round.next();
      if (done === true) {
        this.#round = undefined;
        break;
      }
      claims.push(value);
    }
    return claims;
  }
}

function textOf({ type, key }: AgentName): string {
  return `${type}/${key}`;
}

function sizeOf({ type, key }: AgentName): number {
  return 4 * (type.length + key.length) + entryBytes;
}
