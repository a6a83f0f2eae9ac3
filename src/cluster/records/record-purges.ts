import type { StoreEntry } from "../coordination-store.ts";
import type { Life } from "../life.ts";
import type { Known } from "./known-records.ts";

/** Records that are purged at the same time. Others have their turn when the host looks again. */
const mostUnderWay = 1_024;

/** Options of `RecordPurges`. */
export interface RecordPurgesOptions<T> {
  readonly life: Life;
  /** The store does not have the record any more. `found`: a newer one is there in its place. */
  readonly onGone: (known: Known<T>, found: StoreEntry | undefined) => void;
}

/** Purges records that a host knows. A purge may be lost. The host forgets a record only when the store does not have it any more. */
export class RecordPurges<T> {
  readonly #options: RecordPurgesOptions<T>;
  readonly #underWay = new Set<string>();

  constructor(options: RecordPurgesOptions<T>) {
    this.#options = options;
  }

  /** Begins to purge a record, unless that is under way. Call it again each second until the record is gone (rule R5). */
  begin(known: Known<T>): void {
    if (this.#underWay.has(known.key) || this.#underWay.size >= mostUnderWay) return;
    this.#underWay.add(known.key);
    void this.#purge(known);
  }

  async #purge(known: Known<T>): Promise<void> {
    const { life, onGone } = this.#options;
    const { key, revision } = known;
    await life.store.purge(key, revision);
    const found = await life.store.readFresh(key);
    const isGone = found === undefined || (found !== "unknown" && found.revision > revision);
    if (isGone) onGone(known, found);
    // A store that refuses to purge is asked seldom.
    else await life.pause(life.times.leaseMs);
    this.#underWay.delete(key);
  }
}
