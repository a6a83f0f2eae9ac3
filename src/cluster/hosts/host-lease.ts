import { holderShare } from "../cluster-times.ts";
import type { Life } from "../life.ts";
import { encodeRecord } from "../records/record-text.ts";
import { type HostRecord, hostIn } from "../records/records.ts";
import { hostKey } from "../records/store-keys.ts";

/** The description of a host in its record. */
export type HostDescription = Pick<HostRecord, "label" | "peerAddress" | "workerAddress">;

/** Options of a `HostLease`. */
export interface HostLeaseOptions {
  readonly life: Life;
  readonly description: HostDescription;
  /** Whether this host reads shards of the mail. */
  readonly readsMail: boolean;
  /** Called when the lease was renewed. */
  readonly onRenewed: () => void;
  /** Called once, when the record says that this host is dead, or was purged long after that. */
  readonly onDead: () => void;
  /** Called when the store has forgotten the record. */
  readonly onForgotten: () => void;
}

/** Renewals in a lease. */
const renewalsPerLease = 5;

/** Renewals whose outcome is unknown, of which it is remembered when they were sent. */
const mostUnsettled = 64;

/** The lease of this host: its own record, which it renews. Others declare it dead when the record does not change for a lease. */
export class HostLease {
  readonly #life: Life;
  readonly #key: string;
  readonly #options: HostLeaseOptions;
  #description: HostDescription;
  /** When each renewal was sent that may have been written. */
  readonly #sentMs = new Map<number, number>();
  #state: HostRecord["state"] = "up";
  #renewals = 0;
  #revision = 0;
  #endsMs = Number.NEGATIVE_INFINITY;
  #renewedMs = 0;
  #isOver = false;
  /** The write under way: there is one at a time. */
  #writing: Promise<unknown> = Promise.resolve();
  #nextMs = 0;
  #isRenewing = false;

  constructor(options: HostLeaseOptions) {
    this.#life = options.life;
    this.#key = hostKey(options.life.hostId);
    this.#options = options;
    const { label, peerAddress, workerAddress } = options.description;
    this.#description = { label, peerAddress, workerAddress };
  }

  /** When the lease is over, by this host's clock. */
  get endsMs(): number {
    return this.#endsMs;
  }

  get isHeld(): boolean {
    return !this.#isOver && this.#life.now() < this.#endsMs;
  }

  /** Writes the record for the first time; resolves when it is written. */
  async start(): Promise<void> {
    while (!this.#isOver && !(await this.#write())) await this.#life.pause(this.#life.times.retryMs);
  }

  /** Renews the lease if it is time. Called each second or more often, whatever is under way (rule R5). */
  renewIfDue(): void {
    if (this.#isOver || this.#isRenewing || this.#revision === 0 || this.#life.now() < this.#nextMs) return;
    this.#isRenewing = true;
    void this.#write().then((isWritten) => {
      this.#isRenewing = false;
      this.#nextMs = this.#life.now() + (isWritten ? this.renewalMs : this.#life.times.retryMs);
      if (!isWritten) this.#life.counters.lateRenewals += 1;
    });
  }

  /** Milliseconds between renewals. */
  get renewalMs(): number {
    return this.#life.times.leaseMs / renewalsPerLease;
  }

  /** Changes the description, and writes it if the record is there. */
  describe(change: Partial<HostDescription>): void {
    this.#description = { ...this.#description, ...change };
    if (this.#revision > 0) void this.#write();
  }

  /** Tells all hosts that this one takes no new workers. */
  async drain(): Promise<void> {
    if (this.#state === "up") this.#state = "draining";
    await this.#write();
  }

  /** Declares this host dead. Only when nothing that it has granted lasts. */
  async giveUp(): Promise<void> {
    this.#state = "dead";
    await this.#write();
    this.end();
  }

  end(): void {
    this.#isOver = true;
    this.#sentMs.clear();
  }

  async #write(): Promise<boolean> {
    const write = this.#writing.then(() => this.#writeNext());
    this.#writing = write;
    return write;
  }

  async #writeNext(): Promise<boolean> {
    if (this.#isOver) return false;
    const { store, hostId, times } = this.#life;
    this.#renewals += 1;
    const renewals = this.#renewals;
    const record: HostRecord = {
      hostId,
      state: this.#state,
      renewals,
      leaseMs: times.leaseMs,
      readsMail: this.#options.readsMail,
      ...this.#description,
    };
    const sentMs = this.#life.now();
    this.#sentMs.set(renewals, sentMs);
    if (this.#sentMs.size > mostUnsettled) this.#sentMs.delete(renewals - mostUnsettled);
    const outcome = await store.write(this.#key, encodeRecord(record), this.#revision);
    if (outcome.at === "written") {
      this.#renewed(renewals, outcome.revision);
      return true;
    }
    const found = outcome.at === "conflict" ? outcome.found : await store.readFresh(this.#key);
    if (this.#isOver || found === "unknown") return false;
    if (found === undefined) {
      // Rule R3: the first write may still arrive. Of a record that was there, nothing is left.
      if (this.#revision > 0) this.#vanished();
      return false;
    }
    const known = hostIn(found);
    if (known?.state === "dead" && this.#state !== "dead") {
      this.#die();
      return false;
    }
    // What can't be read is no word of another host: the next renewal takes its place.
    if (known === undefined) this.#revision = Math.max(this.#revision, found.revision);
    // Whichever renewal was written counts from when it was sent.
    if (known !== undefined && found.revision > this.#revision) this.#renewed(known.renewals, found.revision);
    return known?.renewals === renewals;
  }

  #renewed(renewals: number, revision: number): void {
    const sentMs = this.#sentMs.get(renewals);
    this.#revision = revision;
    for (const earlier of this.#sentMs.keys()) if (earlier <= renewals) this.#sentMs.delete(earlier);
    if (sentMs === undefined || this.#isOver) return;
    this.#renewedMs = sentMs;
    this.#life.counters.leaseRenewals += 1;
    // Others count from when they learn of the renewal, which is later.
    this.#endsMs = Math.max(this.#endsMs, sentMs + this.#life.times.leaseMs * holderShare);
    this.#options.onRenewed();
  }

  /** The record is not there. Other hosts purge it only long after they have declared this host dead. */
  #vanished(): void {
    if (this.#life.now() - this.#renewedMs < this.#life.times.recordsKeptMs) this.#options.onForgotten();
    else this.#die();
  }

  #die(): void {
    if (this.#isOver) return;
    this.end();
    this.#options.onDead();
  }
}
