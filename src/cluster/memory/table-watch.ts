import type { StoreEntry, StoreWatcher } from "../coordination-store.ts";
import type { CoordinationTable } from "./coordination-table.ts";

/** A watch of a table. It tells in a microtask what was written; of entries that wait, only the newest of each key. */
export class TableWatch {
  readonly #watcher: StoreWatcher;
  readonly #endListening: () => void;
  /** Never more than the table has entries. */
  #waiting = new Map<string, StoreEntry>();
  #isScheduled = false;
  #isCaughtUp = false;
  #isOver = false;

  constructor(table: CoordinationTable, prefix: string, watcher: StoreWatcher) {
    this.#watcher = watcher;
    for (const entry of table.under(prefix)) this.#waiting.set(entry.key, entry);
    this.#endListening = table.onWritten((entry) => {
      if (!entry.key.startsWith(prefix)) return;
      this.#waiting.set(entry.key, entry);
      this.#schedule();
    });
    this.#schedule();
  }

  end(): void {
    this.#isOver = true;
    this.#waiting.clear();
    this.#endListening();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    this.#isScheduled = false;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const entry of waiting.values()) {
      if (this.#isOver) return;
      // The watcher may write into the value that it gets.
      this.#watcher.onEntry({ ...entry, value: entry.value.slice() });
    }
    if (this.#isOver || this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    this.#watcher.onCaughtUp();
  }
}
