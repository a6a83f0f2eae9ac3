import type { Life } from "../life.ts";
import type { Known, KnownRecords } from "../records/known-records.ts";
import type { ServeRecord } from "../records/records.ts";
import type { KnownWorkers } from "../workers/known-workers.ts";

/** Records that are looked at each second, at least; and the part of all that is. */
const leastLookedAt = 64;
const lookShare = 1 / 600;
/** Workers about which the store is asked at the same time. */
const mostAsked = 64;

/** Options of `ServesOfGone`. */
export interface ServesOfGoneOptions {
  readonly life: Life;
  readonly workers: KnownWorkers;
  readonly serves: KnownRecords<ServeRecord>;
  /** The record of what a worker served stays behind. It is told again until the record is forgotten. */
  readonly onFound: (known: Known<ServeRecord>) => void;
}

/**
 * Finds old records of what workers served that have no record themselves. The purge of such a record may have been lost, or the store has
 * forgotten the worker and kept what it served.
 */
export class ServesOfGone {
  readonly #options: ServesOfGoneOptions;
  readonly #asked = new Set<string>();
  #round: Iterator<Known<ServeRecord>> | undefined;

  constructor(options: ServesOfGoneOptions) {
    this.#options = options;
  }

  /** Looks at some records. Called each second while this host serves (rule R5). */
  look(): void {
    const { serves } = this.#options;
    const count = Math.max(leastLookedAt, Math.ceil(serves.size * lookShare));
    for (let looked = 0; looked < count; looked += 1) {
      this.#round ??= serves.values()[Symbol.iterator]();
      const next = this.#round.next();
      if (next.done === true) {
        this.#round = undefined;
        return;
      }
      this.#lookAt(next.value);
    }
  }

  #lookAt(known: Known<ServeRecord>): void {
    const { life, workers } = this.#options;
    const { workerId } = known.record;
    // The record of a worker that has joined a moment ago may not be known here.
    if (life.monotonicNow() - known.learntMs <= life.times.recordsKeptMs) return;
    // What a known worker served is purged with its record.
    if (workers.get(workerId) !== undefined) return;
    if (this.#asked.has(workerId) || this.#asked.size >= mostAsked) return;
    this.#asked.add(workerId);
    void this.#ask(known).finally(() => this.#asked.delete(workerId));
  }

  async #ask(known: Known<ServeRecord>): Promise<void> {
    const { life, workers, serves, onFound } = this.#options;
    const isGone = await workers.isGone(known.record.workerId);
    // Rule R2: what holds now counts.
    const isStill = serves.get(known.key) === known && workers.get(known.record.workerId) === undefined;
    if (isGone === true && isStill && life.isServing()) onFound(known);
  }
}
