import { Buffer } from "node:buffer";
import type { HeldClaim, HeldClaims } from "../../../cluster/internal.ts";
import type { AgentName } from "../../../core/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import { ChunkedColumn } from "../chunked-column.ts";
import { ClaimShares } from "../claim-shares.ts";
import { ClaimTable, mostKeyChars } from "../claim-table.ts";

export interface HeldClaimsTableParts {
  readonly maxClaims: number;
  /** Frees what the claims of a worker take whose session is over. */
  readonly batches: BatchRunner;
}

/** Entries that are looked at for one refresh at most. */
const lookedAtOnce = 100_000;
/** Before the id of a worker whose agents have ended. No worker id has such a character. */
const asleepMark = "\u0000";

// protocol.md §12.8
/**
 * The claims that a host of a cluster holds. A million with keys of 36 characters take some 130 MB. Those of agents that sleep are kept for
 * as long as there is space: each saves its worker from giving a message back.
 */
export class HeldClaimsTable implements HeldClaims {
  readonly #parts: HeldClaimsTableParts;
  readonly #table = new ClaimTable();
  readonly #sessions = new ChunkedColumn((length) => new Float64Array(length));
  readonly #generations = new ChunkedColumn((length) => new Float64Array(length));
  readonly #eras = new ChunkedColumn((length) => new Uint32Array(length));
  readonly #revisions = new ChunkedColumn((length) => new Float64Array(length));
  readonly #usableUntil = new ChunkedColumn((length) => new Float64Array(length));
  readonly #refresh = new ChunkedColumn((length) => new Float64Array(length));
  readonly #shares: ClaimShares;
  /** The workers with agents that sleep. */
  readonly #sleepers = new Set<string>();
  /** For whom claims are being made. */
  readonly #payers = new Map<string, string>();
  #cursor = 0;
  #newestNumber = 0;

  constructor(parts: HeldClaimsTableParts) {
    this.#parts = parts;
    this.#shares = new ClaimShares(parts.maxClaims);
  }

  /** Counts claims that are void and not freed yet, too. */
  get size(): number {
    return this.#table.size;
  }

  /** Bytes of all arrays. */
  get byteLength(): number {
    const columns = [this.#sessions, this.#generations, this.#eras, this.#revisions, this.#usableUntil, this.#refresh];
    return columns.reduce((sum, { byteLength }) => sum + byteLength, this.#table.byteLength);
  }

  /** The highest number that an epoch of a claim here had. */
  get newestNumber(): number {
    return this.#newestNumber;
  }

  get({ type, key }: AgentName): HeldClaim | undefined {
    const entry = this.#find(type, key);
    return entry < 0 ? undefined : this.#read(entry, { type, key });
  }

  /** Whether the address may have one claim more, with a key of so many bytes. */
  #mayAdd(party: string, keyBytes: number): boolean {
    if (this.#shares.mayAdd(party, keyBytes)) return true;
    return this.#shares.isHalfFull && this.#forgetSleeper() && this.#shares.mayAdd(party, keyBytes);
  }

  /** A claim of the agent counts with the share of an address from now on; undefined: no claim is being made any more. */
  payFor({ type, key }: AgentName, party: string | undefined): void {
    if (party === undefined) this.#payers.delete(`${type}/${key}`);
    else this.#payers.set(`${type}/${key}`, party);
  }

  hasRoomFor(agent: AgentName): boolean {
    if (agent.key.length > mostKeyChars) return false;
    return this.#find(agent.type, agent.key) >= 0 || this.#mayAdd(this.#payerOf(agent), Buffer.byteLength(agent.key));
  }

  set(claim: HeldClaim): void {
    const { agent, workerId, session, epoch, revision, usableUntilMs, refreshMs, isAsleep } = claim;
    const { type, key } = agent;
    const holder = isAsleep ? asleepMark + workerId : workerId;
    if (isAsleep) this.#sleepers.add(holder);
    let entry = this.#table.find(type, key);
    if (entry >= 0 && this.#table.isParted(entry)) {
      this.#delete(entry);
      entry = -1;
    }
    if (entry < 0) {
      const party = this.#payerOf(agent);
      this.#shares.add(party, Buffer.byteLength(key));
      entry = this.#table.add({ type, key, workerId: holder, number: epoch.number, party });
    } else {
      if (this.#table.workerOf(entry) !== holder) this.#table.pass(entry, holder);
      this.#table.renumber(entry, epoch.number);
    }
    this.#sessions.set(entry, session);
    this.#generations.set(entry, epoch.generation);
    this.#eras.set(entry, epoch.era);
    this.#revisions.set(entry, revision);
    this.#usableUntil.set(entry, usableUntilMs);
    this.#refresh.set(entry, refreshMs);
    this.#newestNumber = Math.max(this.#newestNumber, epoch.number);
  }

  delete({ type, key }: AgentName): void {
    const entry = this.#table.find(type, key);
    if (entry >= 0) this.#delete(entry);
  }

  /** Costs the same however many they are: what they take is freed in batches. */
  deleteOf(workerId: string): void {
    for (const holder of [workerId, asleepMark + workerId]) {
      const parted = this.#table.part(holder);
      this.#sleepers.delete(holder);
      this.#parts.batches.add(this, this.#deletionsOf(parted));
    }
  }

  *of(workerId: string): Iterable<HeldClaim> {
    for (const holder of [workerId, asleepMark + workerId]) {
      for (let at = this.#table.lastOf(holder); at >= 0; at = this.#table.before(at)) yield this.#read(at);
    }
  }

  next(count: number): HeldClaim[] {
    const claims: HeldClaim[] = [];
    const end = Math.min(this.#table.end, this.#cursor + lookedAtOnce);
    for (; claims.length < count && this.#cursor < end; this.#cursor += 1) {
      const isLive = this.#table.isUsed(this.#cursor) && !this.#table.isParted(this.#cursor);
      if (isLive) claims.push(this.#read(this.#cursor));
    }
    if (this.#cursor >= this.#table.end) this.#cursor = 0;
    return claims;
  }

  /** How many agents of a worker are awake. */
  countOf(workerId: string): number {
    return this.#table.countOf(workerId);
  }

  /** The claims of a worker's agents that are awake, the newest first. */
  *awakeOf(workerId: string): Iterable<HeldClaim> {
    for (let at = this.#table.lastOf(workerId); at >= 0; at = this.#table.before(at)) yield this.#read(at);
  }

  /** Returns the first claim from this place on, and the place behind it as `next`. Undefined: the table has no more. */
  from(place: number): { readonly claim: HeldClaim; readonly next: number } | undefined {
    for (let at = this.#table.nextUsed(place); at >= 0; at = this.#table.nextUsed(at + 1)) {
      if (!this.#table.isParted(at)) return { claim: this.#read(at), next: at + 1 };
    }
    return undefined;
  }

  #find(type: string, key: string): number {
    const entry = this.#table.find(type, key);
    return entry >= 0 && this.#table.isParted(entry) ? -1 : entry;
  }

  #payerOf({ type, key }: AgentName): string {
    return this.#payers.size === 0 ? "" : (this.#payers.get(`${type}/${key}`) ?? "");
  }

  /** Forgets the agent that has slept longest at some worker. */
  #forgetSleeper(): boolean {
    for (const holder of this.#sleepers) {
      const entry = this.#table.firstOf(holder);
      if (entry >= 0) {
        this.#delete(entry);
        return true;
      }
      this.#sleepers.delete(holder);
    }
    return false;
  }

  #delete(entry: number): void {
    this.#shares.remove(this.#table.partyOf(entry), this.#table.keyLengthOf(entry));
    this.#table.delete(entry);
  }

  *#deletionsOf(entries: Iterable<number>): Iterable<() => void> {
    for (const entry of entries) yield () => this.#delete(entry);
  }

  #read(entry: number, agent?: AgentName): HeldClaim {
    const {
      type,
      key,
      workerId: holder,
    } = agent === undefined ? this.#table.read(entry) : { ...agent, workerId: this.#table.workerOf(entry) };
    const isAsleep = holder.startsWith(asleepMark);
    return {
      agent: agent ?? { type, key },
      workerId: isAsleep ? holder.slice(asleepMark.length) : holder,
      session: this.#sessions.get(entry),
      epoch: {
        generation: this.#generations.get(entry),
        era: this.#eras.get(entry),
        number: this.#table.numberOf(entry),
      },
      revision: this.#revisions.get(entry),
      usableUntilMs: this.#usableUntil.get(entry),
      refreshMs: this.#refresh.get(entry),
      isAsleep,
    };
  }
}
