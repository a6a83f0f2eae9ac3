import type { StoreEntry } from "../coordination-store.ts";
import type { Life } from "../life.ts";
import { type Known, KnownRecords } from "../records/known-records.ts";
import { RecordPurges } from "../records/record-purges.ts";
import { type WorkerRecord, workerIn } from "../records/records.ts";
import { prefixes, workerKey } from "../records/store-keys.ts";

/** Options of `KnownWorkers`. */
export interface KnownWorkersOptions {
  readonly life: Life;
  readonly onCaughtUp: () => void;
  readonly onChange: (worker: WorkerRecord, before: WorkerRecord | undefined) => void;
}

/** Workers for which the store is asked at once. */
const mostAsked = 64;

/** The workers of the cluster, as far as this host knows. */
export class KnownWorkers {
  readonly #life: Life;
  readonly #onChange: KnownWorkersOptions["onChange"];
  readonly #records: KnownRecords<WorkerRecord>;
  readonly #purges: RecordPurges<WorkerRecord>;
  /** Workers for which the store is asked, by their keys. */
  readonly #asked = new Set<string>();
  /** Stock workers that are here, by their client ids. */
  readonly #stock = new Map<string, string>();
  /** How many workers each host has, by host id. */
  readonly #counts = new Map<string, number>();

  constructor({ life, onCaughtUp, onChange }: KnownWorkersOptions) {
    this.#life = life;
    this.#onChange = onChange;
    this.#records = new KnownRecords({
      read: workerIn,
      now: () => life.monotonicNow(),
      onChange: ({ record }, before) => {
        this.#noteStock(record);
        this.#count(record, before?.record);
        onChange(record, before?.record);
      },
    });
    this.#records.watch(life.store, prefixes.worker, onCaughtUp);
    this.#purges = new RecordPurges({ life, onGone: (known, found) => this.#records.replace(known, found) });
  }

  get isCaughtUp(): boolean {
    return this.#records.isCaughtUp;
  }

  get(workerId: string): Known<WorkerRecord> | undefined {
    return this.#records.get(workerKey(workerId));
  }

  /** Milliseconds since this host learnt of the newest record of a worker. Undefined: it knows none. */
  ageMs(workerId: string): number | undefined {
    const known = this.get(workerId);
    return known && this.#life.monotonicNow() - known.learntMs;
  }

  values(): Iterable<Known<WorkerRecord>> {
    return this.#records.values();
  }

  /** The number of workers that a host has, as far as is known. */
  countAt(hostId: string): number {
    return this.#counts.get(hostId) ?? 0;
  }

  /** The stock worker that uses this client id. */
  stockWorkerOf(clientId: string): string | undefined {
    return this.#stock.get(clientId);
  }

  learn(entry: StoreEntry): void {
    this.#records.learn(entry);
  }

  /** Takes what another host has announced. */
  hear(entry: StoreEntry): void {
    this.#records.hear(entry);
  }

  /**
   * Asks for workers that only announcements have named. One that is not there was purged before its announcement came, or never was. Called
   * each second while this host serves (rule R5).
   */
  look(): void {
    const keys = this.#records.onlyAnnounced(this.#life.monotonicNow() - this.#life.times.leaseMs);
    for (const key of keys.slice(0, mostAsked)) {
      if (!this.#asked.has(key)) void this.#ask(key);
    }
  }

  /** Whether a worker's host may still serve it, as far as is known. A worker that is not known may have joined a moment ago. */
  isHere(workerId: string): boolean {
    return this.get(workerId)?.record.state === "here";
  }

  /** Whether a worker is gone for good. Records are purged long after that, so that one that is not there says the same. */
  async isGone(workerId: string): Promise<boolean | "unknown"> {
    const known = this.get(workerId);
    if (known !== undefined) return known.record.state === "gone";
    const found = await this.#life.store.readFresh(workerKey(workerId));
    if (found === "unknown") return "unknown";
    if (found === undefined) return true;
    this.#records.learn(found);
    return this.get(workerId)?.record.state === "gone";
  }

  /**
   * The record of a worker that was here is not in the store. Only records of gone workers are purged: another host has buried it long ago, or
   * the store has forgotten it. The worker is gone.
   */
  vanished({ key, record }: Known<WorkerRecord>): void {
    const gone = { ...record, state: "gone" } as const;
    this.#records.forget(key);
    this.#noteStock(gone);
    this.#count(gone, record);
    this.#onChange(gone, record);
  }

  /** Begins to purge a record. Only that of a worker that is gone. Call it again until the record is forgotten. */
  purge(known: Known<WorkerRecord>): void {
    this.#purges.begin(known);
  }

  end(): void {
    this.#records.end();
  }

  async #ask(key: string): Promise<void> {
    this.#asked.add(key);
    const known = this.#records.get(key);
    const found = await this.#life.store.readFresh(key);
    this.#asked.delete(key);
    if (found !== undefined && found !== "unknown") this.#records.learn(found);
    // Rule R1: another answer may have come meanwhile.
    if (found === undefined && known !== undefined && this.#records.get(key) === known) this.vanished(known);
  }

  #count(now: WorkerRecord, before: WorkerRecord | undefined): void {
    if (before?.state === "here") {
      const left = this.countAt(before.hostId) - 1;
      if (left > 0) this.#counts.set(before.hostId, left);
      else this.#counts.delete(before.hostId);
    }
    if (now.state === "here") this.#counts.set(now.hostId, this.countAt(now.hostId) + 1);
  }

  #noteStock({ kind, state, clientId, workerId }: WorkerRecord): void {
    if (kind !== "stock") return;
    if (state === "here") this.#stock.set(clientId, workerId);
    else if (this.#stock.get(clientId) === workerId) this.#stock.delete(clientId);
  }
}
