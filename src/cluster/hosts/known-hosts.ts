import { othersShare, silentShare } from "../cluster-times.ts";
import type { StoreEntry } from "../coordination-store.ts";
import type { Life } from "../life.ts";
import { type Known, KnownRecords } from "../records/known-records.ts";
import { RecordPurges } from "../records/record-purges.ts";
import { encodeDeadHost, type HostRecord, hostIn } from "../records/records.ts";
import { hostKey, prefixes } from "../records/store-keys.ts";

/** Options of `KnownHosts`. */
export interface KnownHostsOptions {
  readonly life: Life;
  readonly onCaughtUp: () => void;
  /** Called with each record that is new, or has another state or address for workers. */
  readonly onChange: (host: HostRecord) => void;
}

/** The hosts of the cluster. It declares those dead that have not renewed their lease. */
export class KnownHosts {
  readonly #life: Life;
  readonly #records: KnownRecords<HostRecord>;
  readonly #onChange: KnownHostsOptions["onChange"];
  readonly #purges: RecordPurges<HostRecord>;
  readonly #declaring = new Set<string>();

  constructor({ life, onCaughtUp, onChange }: KnownHostsOptions) {
    this.#life = life;
    this.#onChange = onChange;
    this.#records = new KnownRecords({
      read: hostIn,
      now: () => life.monotonicNow(),
      onChange: ({ record }, before) => {
        const isSame = before?.record.state === record.state && before.record.workerAddress === record.workerAddress;
        if (!isSame) onChange(record);
      },
    });
    this.#records.watch(life.store, prefixes.host, onCaughtUp);
    this.#purges = new RecordPurges({ life, onGone: (known, found) => this.#records.replace(known, found) });
  }

  get isCaughtUp(): boolean {
    return this.#records.isCaughtUp;
  }

  get(hostId: string): HostRecord | undefined {
    return this.#records.get(hostKey(hostId))?.record;
  }

  /** Takes what another host has announced. */
  hear(entry: StoreEntry): void {
    this.#records.hear(entry);
  }

  learn(entry: StoreEntry): void {
    this.#records.learn(entry);
  }

  /** All hosts that have a record, with the milliseconds since this host learnt of its newest one. */
  aged(): { readonly record: HostRecord; readonly ageMs: number }[] {
    const now = this.#life.monotonicNow();
    return [...this.#records.values()].map(({ record, learntMs }) => ({ record, ageMs: now - learntMs }));
  }

  /**
   * Whether a host does not renew its lease, or is dead: its workers are given up when the lease is over. False again when its record is older than
   * `mostMs`.
   */
  isSilent(hostId: string, mostMs: number): boolean {
    const known = this.#records.get(hostKey(hostId));
    if (known === undefined) return false;
    const ageMs = this.#life.monotonicNow() - known.learntMs;
    const { state, leaseMs } = known.record;
    return ageMs < mostMs && (state === "dead" || ageMs > leaseMs * silentShare);
  }

  /** Hosts that are not dead. */
  living(): HostRecord[] {
    return [...this.#records.values()].map(({ record }) => record).filter(({ state }) => state !== "dead");
  }

  /**
   * Whether a host is dead: its record says so, or is not there. A host that is not known here may be new, so that the store is asked.
   */
  async isDead(hostId: string): Promise<boolean | "unknown"> {
    const known = this.get(hostId);
    if (known !== undefined) return known.state === "dead";
    const found = await this.#life.store.readFresh(hostKey(hostId));
    if (found === "unknown") return "unknown";
    if (found === undefined) return true;
    this.#records.learn(found);
    return this.get(hostId)?.state === "dead";
  }

  /** Looks at all records. Called each second while this host serves (rule R5). */
  look(): void {
    const now = this.#life.monotonicNow();
    for (const known of this.#records.values()) {
      const unchangedMs = now - known.learntMs;
      if (known.record.state === "dead") {
        if (unchangedMs > this.#life.times.recordsKeptMs) this.#purges.begin(known);
      } else if (unchangedMs > known.record.leaseMs * othersShare && known.record.hostId !== this.#life.hostId) {
        void this.#declareDead(known);
      }
    }
  }

  end(): void {
    this.#records.end();
  }

  /** Succeeds only if no renewal was written after the one that is known here. That one's lease is over. */
  async #declareDead({ key, record, revision }: Known<HostRecord>): Promise<void> {
    if (this.#declaring.has(key)) return;
    this.#declaring.add(key);
    const value = encodeDeadHost(record);
    const outcome = await this.#life.store.write(key, value, revision);
    this.#declaring.delete(key);
    if (outcome.at === "written") {
      this.#life.counters.deathsDeclared += 1;
      const entry = { key, value, revision: outcome.revision };
      this.#records.learn(entry);
      this.#life.announce(entry);
    } else if (outcome.at === "conflict" && outcome.found !== undefined) {
      this.#records.learn(outcome.found);
    } else if (outcome.at === "conflict") {
      // It was purged, or only an announcement has named it.
      this.#records.forget(key);
      this.#onChange({ ...record, state: "dead" });
    }
  }
}
