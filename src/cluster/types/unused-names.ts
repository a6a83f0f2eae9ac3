import type { ClusterMeta } from "../cluster-meta.ts";
import type { KnownHosts } from "../hosts/known-hosts.ts";
import { preferred } from "../hosts/preferred.ts";
import type { Life } from "../life.ts";
import type { Known } from "../records/known-records.ts";
import { RecordPurges } from "../records/record-purges.ts";
import { encodeRecord } from "../records/record-text.ts";
import type { TypeRecord } from "../records/records.ts";
import { claimsPrefix, typeKey } from "../records/store-keys.ts";
import type { KnownWorkers } from "../workers/known-workers.ts";
import type { ClusterTypes } from "./cluster-types.ts";

/** Names that are looked at each second, at least; and the part of all that is. */
const leastLookedAt = 64;
const lookShare = 1 / 600;
/** The part of `nameKeptMs` after which a name is marked, and for which a retired record is known. */
const markShare = 1 / 25;
/** Names that are asked about at the same time. */
const mostUnderWay = 8;

/** Options of `UnusedNames`. */
export interface UnusedNamesOptions {
  readonly life: Life;
  readonly hosts: KnownHosts;
  readonly workers: KnownWorkers;
  readonly types: ClusterTypes;
  readonly meta: Pick<ClusterMeta, "raiseBase">;
}

// protocol.md §12.7
/**
 * Gives names of agent types free that no worker serves and no claim names. A host marks the record first. A registration takes the mark away. A
 * day later the host writes the record as retired, if it still has its mark, and purges it. All claims of the type have expired by then.
 * Whatever the type has in the state store or in the mail stays: its next epochs are higher than all before.
 */
export class UnusedNames {
  readonly #options: UnusedNamesOptions;
  readonly #life: Life;
  /** When this host saw first that no worker serves a type. */
  readonly #unservedMs = new Map<string, number>();
  readonly #underWay = new Set<string>();
  readonly #purges: RecordPurges<TypeRecord>;
  #round: Iterator<Known<TypeRecord>> | undefined;

  constructor(options: UnusedNamesOptions) {
    this.#options = options;
    this.#life = options.life;
    this.#purges = new RecordPurges({
      life: options.life,
      onGone: (known, found) => {
        options.types.forget(known);
        if (found !== undefined) options.types.learn(found);
      },
    });
  }

  /** Names that are being marked, or given free. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Looks at some names. Called each second while this host serves (rule R5). */
  look(): void {
    const { types } = this.#options;
    const count = Math.max(leastLookedAt, Math.ceil(types.size * lookShare));
    for (let looked = 0; looked < count; looked += 1) {
      this.#round ??= types.known()[Symbol.iterator]();
      const next = this.#round.next();
      if (next.done === true) {
        this.#round = undefined;
        return;
      }
      this.#lookAt(next.value);
    }
  }

  #lookAt(known: Known<TypeRecord>): void {
    const { type, isRetired, isUnserved } = known.record;
    if (this.#underWay.has(type)) return;
    const { nameKeptMs } = this.#life.times;
    const nowMs = this.#life.monotonicNow();
    if (isRetired === true) {
      if (nowMs - known.learntMs > nameKeptMs * markShare) this.#forget(known);
      return;
    }
    if (this.#isServed(known.record)) {
      this.#unservedMs.delete(type);
      return;
    }
    const sinceMs = this.#unservedMs.get(type) ?? nowMs;
    this.#unservedMs.set(type, sinceMs);
    if (this.#underWay.size >= mostUnderWay || nowMs - sinceMs < nameKeptMs * markShare) return;
    const isMarked = isUnserved === true;
    const isDue = isMarked && nowMs - Math.max(sinceMs, known.learntMs) > nameKeptMs;
    if (!this.#isPreferred(type)) {
      // Its watch may have missed that another host has given the name free.
      if (nowMs - Math.max(sinceMs, known.learntMs) > 2 * nameKeptMs) this.#run(type, () => this.#verify(known));
    } else if (!isMarked) this.#run(type, () => this.#mark(known));
    else if (isDue) this.#run(type, () => this.#retire(known));
  }

  #isServed(record: TypeRecord): boolean {
    const { types, workers } = this.#options;
    switch (record.mode) {
      case "free":
        return false;
      case "exclusive":
        // A worker that is not known may have joined a moment ago, but not a day ago.
        return workers.isHere(record.workerId);
      case "shared":
        return types.serversOf(record.type).length > 0;
    }
  }

  #isPreferred(type: string): boolean {
    const living = this.#options.hosts.living().map(({ hostId }) => hostId);
    return preferred(living, typeKey(type)) === this.#life.hostId;
  }

  #run(type: string, act: () => Promise<void>): void {
    this.#underWay.add(type);
    void act().finally(() => this.#underWay.delete(type));
  }

  async #mark(known: Known<TypeRecord>): Promise<void> {
    await this.#write(known, { ...known.record, isUnserved: true });
  }

  async #retire(known: Known<TypeRecord>): Promise<void> {
    const { types, meta } = this.#options;
    const { type, era, addedBy } = known.record;
    const generation = known.record.mode === "shared" ? undefined : known.record.generation;
    if (await this.#hasClaims(type)) {
      // A worker that serves the type no more may have agents of it. The next try is a day later.
      this.#unservedMs.set(type, this.#life.monotonicNow());
      return;
    }
    if (!(await meta.raiseBase(era + 1))) return;
    // Rule R2: what holds now counts.
    const now = types.get(type);
    if (now === undefined || now !== known.record || this.#isServed(now) || !this.#life.isServing()) return;
    const retired: TypeRecord = { mode: "free", type, era: era + 1, addedBy, isRetired: true };
    const revision = await this.#write(known, generation === undefined ? retired : { ...retired, generation });
    if (revision === undefined) return;
    this.#life.counters.namesFreed += 1;
    this.#unservedMs.delete(type);
    await this.#life.store.purge(known.key, revision);
  }

  async #verify(known: Known<TypeRecord>): Promise<void> {
    const found = await this.#life.store.readFresh(known.key);
    if (found === "unknown") return;
    this.#unservedMs.delete(known.record.type);
    if (found === undefined) this.#options.types.forget(known);
    else this.#options.types.learn(found);
  }

  /** A record that was retired some time ago is forgotten. One host purges it once more: the purge may have been lost. */
  #forget(known: Known<TypeRecord>): void {
    this.#unservedMs.delete(known.record.type);
    if (this.#isPreferred(known.record.type)) this.#purges.begin(known);
    else this.#options.types.forget(known);
  }

  /** Writes a record over the one that is known. Returns its revision; undefined: another was first, or the outcome is not known. */
  async #write(known: Known<TypeRecord>, record: TypeRecord): Promise<number | undefined> {
    const { key, revision } = known;
    const value = encodeRecord(record);
    const outcome = await this.#life.store.write(key, value, revision);
    if (outcome.at === "conflict" && outcome.found !== undefined) this.#options.types.learn(outcome.found);
    // Another host has given the name free.
    if (outcome.at === "conflict" && outcome.found === undefined) this.#options.types.forget(known);
    if (outcome.at !== "written") return undefined;
    this.#options.types.learn({ key, value, revision: outcome.revision });
    return outcome.revision;
  }

  /** Whether there is a claim of an agent of the type. True also if the store does not say so in time. */
  #hasClaims(type: string): Promise<boolean> {
    return new Promise((resolve) => {
      let isOver = false;
      const end = (hasClaims: boolean): void => {
        if (isOver) return;
        isOver = true;
        resolve(hasClaims);
        // A watch tells nothing inside the call that begins it.
        endWatch();
      };
      const endWatch = this.#life.store.watch(claimsPrefix(type), {
        onEntry: () => end(true),
        onCaughtUp: () => end(false),
        onReset: () => undefined,
      });
      void this.#life.pause(this.#life.times.leaseMs).then(() => end(true));
    });
  }
}
