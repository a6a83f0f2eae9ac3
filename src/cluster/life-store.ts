import {
  type CoordinationStore,
  claimKeyPrefix,
  type ReadOutcome,
  type StoreEntry,
  type StoreWatcher,
  type WriteOutcome,
} from "./coordination-store.ts";

/** Keys have about 50 bytes. */
const rememberedWrites = 1_000;
const rememberedRevisions = 1_000;

/**
 * The coordination store as one life of a host uses it. It notices a store that has forgotten acknowledged writes: after a power failure,
 * or because a backup was restored. When the life is over, every outcome is `unknown`.
 */
export class LifeStore {
  readonly #store: CoordinationStore;
  readonly #onForgotten: () => void;
  readonly #onFailed: (error: unknown) => void;
  /** The largest revisions that were seen. Claims have their own. */
  #largest = 0;
  #largestOfClaims = 0;
  /** The keys of the revisions that were seen last, without those of claims; the oldest stand first. */
  readonly #keys = new Map<number, string>();
  /** The keys that this life has written last, with their revisions; the oldest stand first. */
  readonly #written = new Map<string, number>();
  #underWay = 0;
  #isOver = false;

  /** `onFailed`: the store has rejected, which it must not. What it was asked counts as not answered. */
  constructor(store: CoordinationStore, onForgotten: () => void, onFailed: (error: unknown) => void) {
    this.#store = store;
    this.#onForgotten = onForgotten;
    this.#onFailed = onFailed;
  }

  /** Writes and fresh reads that have no outcome yet. */
  get underWay(): number {
    return this.#underWay;
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<WriteOutcome> {
    if (this.#isOver) return { at: "unknown" };
    const isClaim = key.startsWith(claimKeyPrefix);
    const largest = isClaim ? this.#largestOfClaims : this.#largest;
    const least = Math.max(expected, this.#written.get(key) ?? 0);
    const outcome = await this.#tracked(() => this.#store.write(key, value, expected), { at: "unknown" });
    if (this.#isOver) return { at: "unknown" };
    if (outcome.at === "written") {
      // It was written after all that was seen before, so that its revision is larger unless the store has forgotten some of that.
      if (outcome.revision <= largest) this.#onForgotten();
      this.#saw({ key, revision: outcome.revision });
      this.#wrote(key, outcome.revision);
    }
    if (outcome.at === "conflict" && outcome.found !== undefined) {
      // Others may have written so much since that only the entry itself shows it.
      if (outcome.found.revision < least) this.#onForgotten();
      this.#saw(outcome.found);
    }
    return outcome;
  }

  /** Reads from the leader. */
  async readFresh(key: string): Promise<ReadOutcome> {
    if (this.#isOver) return "unknown";
    const found = await this.#tracked<ReadOutcome>(() => this.#store.read(key, { fresh: true }), "unknown");
    if (this.#isOver) return "unknown";
    if (found !== undefined && found !== "unknown") this.#saw(found);
    return found;
  }

  watch(prefix: string, watcher: StoreWatcher): () => void {
    return this.#store.watch(prefix, {
      onEntry: (entry) => {
        this.#saw(entry);
        watcher.onEntry(entry);
      },
      onCaughtUp: () => watcher.onCaughtUp(),
      onReset: () => watcher.onReset(),
    });
  }

  async purge(key: string, upTo?: number): Promise<void> {
    if (!this.#isOver) await this.#tracked(() => this.#store.purge(key, upTo), undefined);
  }

  end(): void {
    this.#isOver = true;
  }

  #saw({ key, revision }: Pick<StoreEntry, "key" | "revision">): void {
    if (key.startsWith(claimKeyPrefix)) {
      this.#largestOfClaims = Math.max(this.#largestOfClaims, revision);
      return;
    }
    this.#largest = Math.max(this.#largest, revision);
    if (this.#isOver) return;
    // A host that came later may have written in place of what the store has forgotten.
    const known = this.#keys.get(revision);
    if (known === undefined) rememberAtMost(rememberedRevisions, this.#keys, revision, key);
    else if (known !== key) this.#onForgotten();
  }

  #wrote(key: string, revision: number): void {
    this.#written.delete(key);
    rememberAtMost(rememberedWrites, this.#written, key, revision);
  }

  async #tracked<T>(ask: () => Promise<T>, otherwise: T): Promise<T> {
    this.#underWay += 1;
    try {
      return await ask();
    } catch (error) {
      // Duties of the host are not awaited by anybody: a rejection would end the process.
      this.#onFailed(error);
      return otherwise;
    } finally {
      this.#underWay -= 1;
    }
  }
}

/** Adds an entry that the map does not have, and drops the oldest one beyond this many. */
function rememberAtMost<Key, Value>(count: number, entries: Map<Key, Value>, key: Key, value: Value): void {
  entries.set(key, value);
  if (entries.size <= count) return;
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}
