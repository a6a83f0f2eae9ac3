import type {
  CoordinationStore,
  ReadOptions,
  ReadOutcome,
  StoreWatcher,
  WriteOutcome,
} from "../../src/cluster/index.ts";
import { Gate } from "./gate.ts";

/** A host's way to the coordination store, which a test can hold up or cut. */
export class StalledCoordination implements CoordinationStore {
  readonly #store: CoordinationStore;
  #held: Gate | undefined;
  #heldReads: Gate | undefined;
  #isAway = false;

  constructor(store: CoordinationStore) {
    this.#store = store;
  }

  /** From now on the store answers when the returned function is called. `writesOnly`: it still answers reads. */
  hold({ writesOnly = false } = {}): () => void {
    const gate = new Gate();
    this.#held = gate;
    this.#heldReads = writesOnly ? undefined : gate;
    return () => {
      this.#held = undefined;
      this.#heldReads = undefined;
      gate.open();
    };
  }

  /** From now on nothing of this host reaches the store, until `comeBack`. Watches tell nothing new. */
  goAway(): void {
    this.#isAway = true;
  }

  comeBack(): void {
    this.#isAway = false;
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<WriteOutcome> {
    await this.#held?.opened;
    return this.#isAway ? { at: "unknown" } : await this.#store.write(key, value, expected);
  }

  async read(key: string, options?: ReadOptions): Promise<ReadOutcome> {
    await this.#heldReads?.opened;
    return this.#isAway ? "unknown" : await this.#store.read(key, options);
  }

  watch(prefix: string, watcher: StoreWatcher): () => void {
    return this.#store.watch(prefix, {
      onEntry: (entry) => {
        if (!this.#isAway) watcher.onEntry(entry);
      },
      onCaughtUp: () => watcher.onCaughtUp(),
      onReset: () => watcher.onReset(),
    });
  }

  async purge(key: string, upTo?: number): Promise<void> {
    if (!this.#isAway) await this.#store.purge(key, upTo);
  }

  announce(bytes: Uint8Array): void {
    if (!this.#isAway) this.#store.announce(bytes);
  }

  onAnnouncement(listener: (bytes: Uint8Array) => void): () => void {
    return this.#store.onAnnouncement((bytes) => {
      if (!this.#isAway) listener(bytes);
    });
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
