import { claimKeyPrefix, claimLifeMs, type StoreEntry, type WriteOutcome } from "../coordination-store.ts";

/** Bytes that an entry takes beside its key and its value, as a guess from above. */
const entryBytes = 200;

interface Kept {
  readonly entry: StoreEntry;
  /** When it was written; of claims alone, which expire. */
  readonly writtenMs: number;
}

/** Options of a `CoordinationTable`. */
export interface CoordinationTableOptions {
  /** Milliseconds; never decreases. */
  readonly now: () => number;
  /** Limit of all entries in bytes. */
  readonly maxBytes: number;
}

/** The entries of a coordination store, in one process. All its methods act at once. */
export class CoordinationTable {
  readonly #options: CoordinationTableOptions;
  readonly #others = new Map<string, Kept>();
  /** Those that were written longest ago are first. */
  readonly #claims = new Map<string, Kept>();
  readonly #listeners = new Set<(entry: StoreEntry) => void>();
  #revision = 0;
  #bytes = 0;

  constructor(options: CoordinationTableOptions) {
    this.#options = options;
  }

  /** Number of entries. */
  get size(): number {
    this.#expire();
    return this.#others.size + this.#claims.size;
  }

  /** Returns "full" if the entry would take the table beyond its limit. */
  write(key: string, value: Uint8Array, expected: number): WriteOutcome | "full" {
    this.#expire();
    const entries = this.#entriesOf(key);
    const found = entries.get(key)?.entry;
    if ((found?.revision ?? 0) !== expected) return { at: "conflict", found };
    const added = sizeOf(key, value) - (found === undefined ? 0 : sizeOf(key, found.value));
    if (added > 0 && this.#bytes + added > this.#options.maxBytes) return "full";
    this.#revision += 1;
    const entry = { key, value, revision: this.#revision };
    // A claim moves to the end, behind all that were written before.
    entries.delete(key);
    entries.set(key, { entry, writtenMs: this.#options.now() });
    this.#bytes += added;
    for (const listener of this.#listeners) listener(entry);
    return { at: "written", revision: entry.revision };
  }

  read(key: string): StoreEntry | undefined {
    this.#expire();
    return this.#entriesOf(key).get(key)?.entry;
  }

  purge(key: string, upTo = Number.POSITIVE_INFINITY): void {
    const entries = this.#entriesOf(key);
    const kept = entries.get(key);
    if (kept === undefined || kept.entry.revision > upTo) return;
    entries.delete(key);
    this.#bytes -= sizeOf(key, kept.entry.value);
  }

  /** The entries whose keys begin with a prefix. */
  *under(prefix: string): Iterable<StoreEntry> {
    this.#expire();
    for (const entries of [this.#others, this.#claims]) {
      for (const [key, { entry }] of entries) if (key.startsWith(prefix)) yield entry;
    }
  }

  /** Calls the listener with each entry that is written, until the returned function is called. */
  onWritten(listener: (entry: StoreEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #entriesOf(key: string): Map<string, Kept> {
    return key.startsWith(claimKeyPrefix) ? this.#claims : this.#others;
  }

  #expire(): void {
    const beforeMs = this.#options.now() - claimLifeMs;
    for (const [key, { writtenMs }] of this.#claims) {
      if (writtenMs > beforeMs) return;
      this.purge(key);
    }
  }
}

function sizeOf(key: string, value: Uint8Array): number {
  return 2 * key.length + value.byteLength + entryBytes;
}
