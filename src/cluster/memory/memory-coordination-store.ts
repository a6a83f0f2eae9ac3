import {
  assertOptions,
  type Clock,
  clock as clockKind,
  number,
  optionShape,
  systemClock,
} from "../../core/internal.ts";
import {
  assertAnnouncement,
  assertStoreKey,
  assertStorePrefix,
  assertStoreWrite,
  type CoordinationStore,
  type ReadOutcome,
  type StoreEntry,
  type StoreWatcher,
  type WriteOutcome,
} from "../coordination-store.ts";
import { CoordinationTable } from "./coordination-table.ts";
import { TableWatch } from "./table-watch.ts";

/** Options of a `MemoryCoordinationStore`. */
export interface MemoryCoordinationStoreOptions {
  /** Limit of all entries in bytes. A write beyond it has the outcome `unknown`, and never happens. Default: 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Says when claims expire. Default: the system's. */
  readonly clock?: Clock | undefined;
}

const shape = optionShape<MemoryCoordinationStoreOptions>({ maxBytes: number({ from: 1 }), clock: clockKind });

/** The memory that several stores share. */
interface Memory {
  readonly table: CoordinationTable;
  readonly stores: Set<MemoryCoordinationStore>;
}

/**
 * A coordination store in the memory of this process, for tests and for several hosts in one process. `reopen` makes the store of the next
 * host. It answers at once and never loses an answer.
 *
 * @example
 * ```ts
 * const first = new MemoryCoordinationStore();
 * const second = first.reopen();
 * const value = new TextEncoder().encode("first");
 * await first.write("cluster.owner", value, 0);
 * await second.write("cluster.owner", value, 0); // { at: "conflict", found: … }
 * ```
 */
export class MemoryCoordinationStore implements CoordinationStore {
  readonly #watches = new Set<TableWatch>();
  readonly #listeners = new Set<(bytes: Uint8Array) => void>();
  #memory: Memory;
  #isClosed = false;

  /** Throws `invalid-argument` for unknown options and for values of a wrong kind. */
  constructor(options: MemoryCoordinationStoreOptions = {}) {
    assertOptions(options, shape, "MemoryCoordinationStore");
    const { maxBytes = 256 * 1024 * 1024, clock = systemClock } = options;
    this.#memory = { table: new CoordinationTable({ now: () => clock.now(), maxBytes }), stores: new Set([this]) };
  }

  /** Creates another store over the same memory, as another host of the cluster has it. */
  reopen(): MemoryCoordinationStore {
    const other = new MemoryCoordinationStore();
    other.#memory = this.#memory;
    this.#memory.stores.add(other);
    return other;
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<WriteOutcome> {
    assertStoreWrite(key, value, expected);
    if (this.#isClosed) return { at: "unknown" };
    const outcome = this.#memory.table.write(key, new Uint8Array(value), expected);
    if (outcome === "full") return { at: "unknown" };
    return outcome.at === "conflict" ? { at: "conflict", found: copyOf(outcome.found) } : outcome;
  }

  async read(key: string): Promise<ReadOutcome> {
    assertStoreKey(key);
    return this.#isClosed ? "unknown" : copyOf(this.#memory.table.read(key));
  }

  watch(prefix: string, watcher: StoreWatcher): () => void {
    assertStorePrefix(prefix);
    if (this.#isClosed) return () => undefined;
    const watch = new TableWatch(this.#memory.table, prefix, watcher);
    this.#watches.add(watch);
    return () => {
      watch.end();
      this.#watches.delete(watch);
    };
  }

  async purge(key: string, upTo?: number): Promise<void> {
    assertStoreKey(key);
    if (!this.#isClosed) this.#memory.table.purge(key, upTo);
  }

  announce(bytes: Uint8Array): void {
    assertAnnouncement(bytes);
    if (this.#isClosed) return;
    const copy = new Uint8Array(bytes);
    for (const store of this.#memory.stores) if (store !== this) store.#hear(copy);
  }

  onAnnouncement(listener: (bytes: Uint8Array) => void): () => void {
    // The same function may be given twice; each has its own end.
    const own = (bytes: Uint8Array) => listener(bytes);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#memory.stores.delete(this);
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
    this.#listeners.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #hear(bytes: Uint8Array): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(bytes.slice());
      });
    }
  }
}

function copyOf(entry: StoreEntry | undefined): StoreEntry | undefined {
  return entry === undefined ? undefined : { ...entry, value: entry.value.slice() };
}
