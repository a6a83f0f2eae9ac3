import type { CoordinationStore, StoreEntry } from "../coordination-store.ts";

/** A record as it is known here. */
export interface Known<T> {
  readonly key: string;
  readonly record: T;
  readonly revision: number;
  /** When this host first learnt of this revision, by its monotonic clock. */
  readonly learntMs: number;
}

/** Options of `KnownRecords`. */
export interface KnownRecordsOptions<T> {
  /** Undefined: the entry can't be read, or its text names something else than its key. */
  readonly read: (entry: StoreEntry) => T | undefined;
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number;
  /** Called after a change. `before`: as it was known until now. */
  readonly onChange?: (known: Known<T>, before: Known<T> | undefined) => void;
}

/** Keys that only announcements have named, at most. Others are learnt when the watch tells them. */
const mostAnnounced = 4_096;

/**
 * The records under one prefix, as far as a host knows. It takes them from its watch and from answers to what it has asked.
 *
 * Rule R1: knowledge of a key only moves forward. Late answers overtake each other, and an older revision is dropped.
 */
export class KnownRecords<T> {
  readonly #options: KnownRecordsOptions<T>;
  readonly #records = new Map<string, Known<T>>();
  /** When each key was first announced that no watch and no answer has told. */
  readonly #announced = new Map<string, number>();
  #isCaughtUp = false;
  #endWatch: () => void = () => undefined;

  constructor(options: KnownRecordsOptions<T>) {
    this.#options = options;
  }

  get isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Begins to watch. `onCaughtUp` is called whenever the watch has told all that is there. */
  watch(store: Pick<CoordinationStore, "watch">, prefix: string, onCaughtUp: () => void): void {
    this.#endWatch = store.watch(prefix, {
      onEntry: (entry) => this.learn(entry),
      onCaughtUp: () => {
        this.#isCaughtUp = true;
        onCaughtUp();
      },
      // What is known stays known: a watch that begins anew tells nothing that is wrong, only later.
      onReset: () => undefined,
    });
  }

  end(): void {
    this.#endWatch();
  }

  get(key: string): Known<T> | undefined {
    return this.#records.get(key);
  }

  values(): Iterable<Known<T>> {
    return this.#records.values();
  }

  /** Takes what is known newer than before. Entries that can't be read change nothing. */
  learn(entry: StoreEntry): void {
    this.#announced.delete(entry.key);
    this.#learn(entry);
  }

  /** As `learn`, for an entry that another host has announced: it may have been purged since. */
  hear(entry: StoreEntry): void {
    const isNew = !this.#records.has(entry.key);
    if (isNew && this.#announced.size >= mostAnnounced) return;
    if (this.#learn(entry) && isNew) this.#announced.set(entry.key, this.#options.now());
  }

  /** Keys that were announced before this time of the monotonic clock, and that no watch and no answer has told since. */
  onlyAnnounced(beforeMs: number): string[] {
    return [...this.#announced].filter(([, sinceMs]) => sinceMs < beforeMs).map(([key]) => key);
  }

  #learn(entry: StoreEntry): boolean {
    const before = this.#records.get(entry.key);
    if (before !== undefined && before.revision >= entry.revision) return false;
    const record = this.#options.read(entry);
    if (record === undefined) return false;
    const known = { key: entry.key, record, revision: entry.revision, learntMs: this.#options.now() };
    this.#records.set(entry.key, known);
    this.#options.onChange?.(known, before);
    return true;
  }

  /** The store does not have a record any more. Undefined: none is there. It forgets the record, unless it has learnt of a newer one. */
  replace(known: Known<T>, found: StoreEntry | undefined): void {
    if (this.#records.get(known.key) !== known) return;
    if (found === undefined) this.forget(known.key);
    else this.learn(found);
  }

  forget(key: string): void {
    this.#records.delete(key);
    this.#announced.delete(key);
  }
}
