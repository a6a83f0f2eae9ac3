import { anyRoom, assertOptions, callable, type MakeId, number, optionShape, randomId } from "../core/internal.ts";
import type { StoredData, WireAgentId } from "../protocol/internal.ts";
import type { SaveOutcome, StateStore, StateVersion } from "./state-store.ts";

/** Options of a `MemoryStateStore`. */
export interface MemoryStateStoreOptions {
  /** Limit of all data together, in bytes. Default: 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Limit of agents with a state. Default: 100 000. */
  readonly maxEntries?: number | undefined;
  /** Creates eTags. Default: random UUIDs. */
  readonly makeId?: MakeId | undefined;
}

const shape = optionShape<MemoryStateStoreOptions>({
  maxBytes: number(anyRoom),
  maxEntries: number(anyRoom),
  makeId: callable,
});

interface Entry extends StateVersion {
  readonly size: number;
}

/** Keeps agent states in this process, within limits. It refuses a save beyond a limit and keeps what is stored. */
export class MemoryStateStore implements StateStore {
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #makeId: MakeId;
  #bytes = 0;

  /** Throws `invalid-argument` for unknown options and for values of a wrong kind. */
  constructor(options: MemoryStateStoreOptions = {}) {
    assertOptions(options, shape, "MemoryStateStore");
    const { maxBytes = 256 * 1024 * 1024, maxEntries = 100_000, makeId = randomId } = options;
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
    this.#makeId = makeId;
  }

  async load(id: WireAgentId): Promise<StateVersion | undefined> {
    const entry = this.#entries.get(nameOf(id));
    return entry && { eTag: entry.eTag, data: entry.data };
  }

  async save(id: WireAgentId, data: StoredData | undefined, eTag: string): Promise<SaveOutcome> {
    const name = nameOf(id);
    const before = this.#entries.get(name);
    if (before !== undefined && eTag !== "" && eTag !== before.eTag) return { at: "conflict", eTag: before.eTag };
    const size = sizeOf(data);
    const bytes = this.#bytes - (before?.size ?? 0) + size;
    if (bytes > this.#maxBytes) return { at: "full", limit: `${this.#maxBytes} bytes of agent state` };
    if (before === undefined && this.#entries.size >= this.#maxEntries) {
      return { at: "full", limit: `${this.#maxEntries} agents with a state` };
    }
    const entry = { eTag: this.#makeId(), data: copyOf(data), size };
    this.#entries.set(name, entry);
    this.#bytes = bytes;
    return { at: "saved", eTag: entry.eTag };
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
