import { compareEpochs, type ListedState, type StateStore } from "../../../../src/core/internal.ts";

/** Looks into the store of a host from outside, now and then, and notes what goes backwards. */
export class StoredVersions {
  readonly faults: string[] = [];
  readonly #store: StateStore;
  #newest = new Map<string, ListedState>();

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** Compares all records with those of the last look. Resolves to the revision of each agent. */
  async look(): Promise<ReadonlyMap<string, number>> {
    const { records } = await this.#store.list({ limit: 10_000 });
    const found = new Map(records.map((record) => [`${record.agent.type}/${record.agent.key}`, record]));
    for (const [name, older] of this.#newest) {
      const newer = found.get(name);
      if (newer === undefined) this.faults.push(`${name} is gone`);
      else if (newer.revision < older.revision)
        this.faults.push(`${name} went from ${older.revision} to ${newer.revision}`);
      else if (
        older.epoch !== undefined &&
        (newer.epoch === undefined || compareEpochs(newer.epoch, older.epoch) < 0)
      ) {
        this.faults.push(`the epoch of ${name} went backwards`);
      }
    }
    this.#newest = found;
    return new Map([...found].map(([name, { revision }]) => [name, revision]));
  }
}
