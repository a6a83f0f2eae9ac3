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
  readonly parse: (value: Uint8Array) => T | undefined;
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number;
  /** Called after a change. `before`: as it was known until now. */
  readonly onChange?: (known: Known<T>, before: Known<T> | undefined) => void;
}

/**
 * The records under one prefix, as far as a host knows. It takes them from its watch and from answers to what it has asked.
 *
 * Rule R1: knowledge of a key only moves forward. Late answers overtake each other, and an older revision is dropped.
 */
export class KnownRecords<T> {
  readonly #options: KnownRecordsOptions<T>;
  readonly #records = new Map<string, Known<T>>();
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

  /** Takes what is known newer than before. Values that can't be read change nothing. */
  learn(entry: StoreEntry): void {
    const before = this.#records.get(entry.key);
    if (before !== undefined && before.revision >= entry.revision) return;
    const record = this.#options.parse(entry.value);
    if (record === undefined) return;
    const known = { key: entry.key, record, revision: entry.revision, learntMs: this.#options.now() };
    this.#records.set(entry.key, known);
    this.#options.onChange?.(known, before);
  }

  forget(key: string): void {
    this.#records.delete(key);
  }
}
