import {
  anyRoom,
  assertOptions,
  type Clock,
  callable,
  clock as clockKind,
  type MakeId,
  number,
  optionShape,
  randomId,
  someTime,
  systemClock,
} from "../core/internal.ts";
import type { StoredData, WireAgentId } from "../protocol/internal.ts";
import type { SaveOutcome, StateStore, StateVersion } from "./state-store.ts";

/** Options of a `MemoryStateStore`. */
export interface MemoryStateStoreOptions {
  /** Limit of all data together, names included, in bytes. Default: 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Limit of agents with a state. Default: 100 000. */
  readonly maxEntries?: number | undefined;
  /** Milliseconds after its last save until a state is forgotten. Default: never. */
  readonly expireAfterMs?: number | undefined;
  /** Creates eTags. Default: random UUIDs. */
  readonly makeId?: MakeId | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

const shape = optionShape<MemoryStateStoreOptions>({
  maxBytes: number(anyRoom),
  maxEntries: number(anyRoom),
  expireAfterMs: number(someTime),
  makeId: callable,
  clock: clockKind,
});

interface Entry extends StateVersion {
  readonly bytes: number;
  readonly savedMs: number;
}

/** Memory of an entry beside its name and data: 620 bytes, measured with 100 000 of them. */
const entryBytes = 650;

/** Keeps agent states in this process, within limits. It refuses a save beyond a limit and keeps what is stored. */
export class MemoryStateStore implements StateStore {
  /** The one that was saved longest ago first. */
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #expireAfterMs: number;
  readonly #makeId: MakeId;
  readonly #clock: Clock;
  #bytes = 0;

  /** Throws `invalid-argument` for unknown options and for values of a wrong kind. */
  constructor(options: MemoryStateStoreOptions = {}) {
    assertOptions(options, shape, "MemoryStateStore");
    this.#maxBytes = options.maxBytes ?? 256 * 1024 * 1024;
    this.#maxEntries = options.maxEntries ?? 100_000;
    this.#expireAfterMs = options.expireAfterMs ?? Number.POSITIVE_INFINITY;
    this.#makeId = options.makeId ?? randomId;
    this.#clock = options.clock ?? systemClock;
  }

  async load(id: WireAgentId): Promise<StateVersion | undefined> {
    this.#expire();
    const entry = this.#entries.get(nameOf(id));
    return entry && { eTag: entry.eTag, data: entry.data };
  }

  async save(id: WireAgentId, data: StoredData | undefined, eTag: string): Promise<SaveOutcome> {
    this.#expire();
    const name = nameOf(id);
    const before = this.#entries.get(name);
    if (before !== undefined && eTag !== "" && eTag !== before.eTag) return { at: "conflict", eTag: before.eTag };
    const bytes = entryBytes + 2 * name.length + sizeOf(data);
    if (this.#bytes - (before?.bytes ?? 0) + bytes > this.#maxBytes) {
      return { at: "full", limit: `${this.#maxBytes} bytes of agent state` };
    }
    if (before === undefined && this.#entries.size >= this.#maxEntries) {
      return { at: "full", limit: `${this.#maxEntries} agents with a state` };
    }
    const entry = { eTag: this.#makeId(), data: copyOf(data), bytes, savedMs: this.#clock.now() };
    this.#remove(name);
    this.#entries.set(name, entry);
    this.#bytes += bytes;
    return { at: "saved", eTag: entry.eTag };
  }

  async delete(id: WireAgentId): Promise<boolean> {
    this.#expire();
    return this.#remove(nameOf(id));
  }

  #remove(name: string): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    this.#entries.delete(name);
    this.#bytes -= entry.bytes;
    return true;
  }

  /** Forgets what is too old; without a timer, when the store is used. */
  #expire(): void {
    if (this.#expireAfterMs === Number.POSITIVE_INFINITY) return;
    const oldestMs = this.#clock.now() - this.#expireAfterMs;
    for (const [name, { savedMs }] of this.#entries) {
      if (savedMs > oldestMs) return;
      this.#remove(name);
    }
  }
}

/** The type may hold any text here, so its length separates it from the key. */
function nameOf({ type, key }: WireAgentId): string {
  return `${type.length}:${type}/${key}`;
}

/** Copies bytes, which may be a view into a much larger network buffer. */
function copyOf(data: StoredData | undefined): StoredData | undefined {
  switch (data?.kind) {
    case "binary":
      return { kind: "binary", bytes: Uint8Array.from(data.bytes) };
    case "proto":
      return { kind: "proto", any: Uint8Array.from(data.any) };
    default:
      return data;
  }
}

function sizeOf(data: StoredData | undefined): number {
  switch (data?.kind) {
    case "binary":
      return data.bytes.length;
    case "text":
      return data.text.length * 2;
    case "proto":
      return data.any.length;
    case undefined:
      return 0;
  }
}
