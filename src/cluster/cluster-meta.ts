import { type Epoch, TroupeError } from "../core/internal.ts";
import type { Life } from "./life.ts";
import { KnownRecords } from "./records/known-records.ts";
import { encodeRecord, isEra } from "./records/record-text.ts";
import { type MetaRecord, metaIn } from "./records/records.ts";
import { metaKey, prefixes } from "./records/store-keys.ts";

/** Options of `ClusterMeta`. */
export interface ClusterMetaOptions {
  readonly life: Life;
  /** The newest generation that the state store knows. That of the cluster is not smaller, and that of a new cluster is larger. */
  readonly storedGeneration: () => number;
  /** Seconds since 1970, for the first generation of a new store. */
  readonly wallSeconds: () => number;
  readonly onCaughtUp: () => void;
  /** Called when the cluster's id is another one: the store has forgotten writes, and each host begins a new life. */
  readonly onNewId: () => void;
}

/** The record of all hosts of a cluster: its id, its generation, and the time limits that all have. */
export class ClusterMeta {
  readonly #options: ClusterMetaOptions;
  readonly #life: Life;
  readonly #records: KnownRecords<MetaRecord>;
  #id: string | undefined;

  constructor(options: ClusterMetaOptions) {
    this.#options = options;
    this.#life = options.life;
    this.#records = new KnownRecords({
      read: metaIn,
      now: () => options.life.monotonicNow(),
      onChange: ({ record }) => {
        if (this.#id !== undefined && record.id !== this.#id) options.onNewId();
      },
    });
  }

  get isCaughtUp(): boolean {
    return this.#records.isCaughtUp;
  }

  get generation(): number {
    return this.#records.get(metaKey)?.record.generation ?? 0;
  }

  /**
   * Reads the record, or makes it. Rejects with `invalid-argument` if other hosts have other time limits, or if this version can't read the record
   * or is too old for the cluster. Resolves when the generation is
   * as large as this host wants.
   */
  async start(): Promise<void> {
    const stored = this.#options.storedGeneration();
    while (!this.#life.isOver()) {
      const found = await this.#life.store.readFresh(metaKey);
      if (found === "unknown") {
        await this.#life.pause(this.#life.times.retryMs);
        continue;
      }
      const record = found && metaIn(found);
      if (found !== undefined) this.#records.learn(found);
      if (found !== undefined) assertKnown(record);
      if (record !== undefined) this.#assertSameTimes(record);
      if (record !== undefined && record.generation >= stored) {
        this.#id = record.id;
        this.#records.watch(this.#life.store, prefixes.meta, this.#options.onCaughtUp);
        return;
      }
      const { leaseMs, workerLeaseMs } = this.#life.times;
      const least = stored + 1;
      const generation = Math.max(least, record === undefined ? this.#options.wallSeconds() : 0);
      const next = record ?? { id: this.#life.makeId(), generation: 0, leaseMs, workerLeaseMs };
      await this.#write({ ...next, generation }, found?.revision ?? 0);
    }
  }

  /** Reads the era and the generation of a type that has no record. "unknown": there was no answer in time. */
  async freshBase(): Promise<Pick<Epoch, "generation" | "era"> | "unknown"> {
    const found = await this.#life.store.readFresh(metaKey);
    const record = found === undefined || found === "unknown" ? undefined : metaIn(found);
    if (found === undefined || found === "unknown" || record === undefined) return "unknown";
    this.#records.learn(found);
    return { generation: record.generation, era: record.baseEra ?? 0 };
  }

  /** Raises the era of types that have no record, if it is lower. Resolves to whether it is as high now. */
  async raiseBase(era: number): Promise<boolean> {
    const found = await this.#life.store.readFresh(metaKey);
    const record = found === undefined || found === "unknown" ? undefined : metaIn(found);
    if (found === undefined || found === "unknown" || record === undefined) return false;
    // What a later era would write is no record that hosts can read.
    if (!isEra(era)) return false;
    return (record.baseEra ?? 0) >= era || this.#write({ ...record, baseEra: era }, found.revision);
  }

  /** Gives the cluster another id and a larger generation, because the store has forgotten writes. It may fail; `onNewId` says when it is done. */
  async renew(): Promise<void> {
    const found = await this.#life.store.readFresh(metaKey);
    if (found === "unknown") return;
    const record = found && metaIn(found);
    // A newer version has written it. This host stays without its lease, and overwrites nothing.
    if (found !== undefined && record === undefined) return;
    // Another host was first. Hosts choose rising generations only, so that the store has forgotten this one if its generation is smaller.
    if (record !== undefined && record.id !== this.#id && record.generation > this.generation)
      return this.#options.onNewId();
    const { leaseMs, workerLeaseMs } = this.#life.times;
    const generation = Math.max(this.generation, record?.generation ?? 0, this.#options.wallSeconds() - 1) + 1;
    const next = { ...record, id: this.#life.makeId(), generation, leaseMs, workerLeaseMs };
    if (await this.#write(next, found?.revision ?? 0)) this.#options.onNewId();
  }

  end(): void {
    this.#records.end();
  }

  async #write(record: MetaRecord, expected: number): Promise<boolean> {
    const outcome = await this.#life.store.write(metaKey, encodeRecord(record), expected);
    if (outcome.at === "unknown") await this.#life.pause(this.#life.times.retryMs);
    return outcome.at === "written";
  }

  #assertSameTimes({ leaseMs, workerLeaseMs }: MetaRecord): void {
    const own = this.#life.times;
    if (leaseMs === own.leaseMs && workerLeaseMs === own.workerLeaseMs) return;
    const theirs = `leaseMs ${leaseMs} and workerLeaseMs ${workerLeaseMs}`;
    const text = `The hosts of this cluster have ${theirs}, this one has ${own.leaseMs} and ${own.workerLeaseMs}. Give it the same.`;
    throw new TroupeError("invalid-argument", text);
  }
}

/** The version of what hosts agree on that this one knows. A later version raises `minProtocol` when the last older host is gone. */
const protocol = 1;

/** Throws for the record of a cluster in which this host must not take part: what it wrote would break the others. */
function assertKnown(record: MetaRecord | undefined): void {
  const advice =
    "Install that version here, or start this host in another cluster (--cluster-name, or the option name).";
  if (record === undefined) {
    const text =
      "This host can't read the record of its cluster (cluster.meta): a newer version of Troupe has written it.";
    throw new TroupeError("invalid-argument", `${text} ${advice}`);
  }
  const { minProtocol = 1 } = record;
  if (minProtocol <= protocol) return;
  const text = `This cluster takes hosts with version ${minProtocol} of its protocol or newer. This host has ${protocol}, and the other hosts have a newer version of Troupe.`;
  throw new TroupeError("invalid-argument", `${text} ${advice}`);
}
