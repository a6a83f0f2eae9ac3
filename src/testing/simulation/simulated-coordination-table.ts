import { claimKeyPrefix, claimLifeMs, type StoreEntry, type WriteOutcome } from "../../cluster/index.ts";

/** A write that happened at a simulated coordination store. */
export interface CoordinationWrite {
  readonly entry: StoreEntry;
  /** The entry in whose place it is. */
  readonly before: StoreEntry | undefined;
  /** Name of the client that wrote. */
  readonly client: string;
}

interface Kept {
  readonly entry: StoreEntry;
  readonly writtenMs: number;
}

/** Writes that `forget` can undo. */
const mostForgotten = 10_000;

/** The entries of a simulated coordination store, and what was there before the last writes. */
export class SimulatedCoordinationTable {
  readonly #now: () => number;
  readonly #claimLifeMs: number;
  readonly #entries = new Map<string, Kept>();
  #undo: { readonly key: string; readonly before: Kept | undefined; readonly revision: number }[] = [];
  #revision = 0;

  constructor(now: () => number, lifeMs: number = claimLifeMs) {
    this.#now = now;
    this.#claimLifeMs = lifeMs;
  }

  write(key: string, value: Uint8Array, expected: number): Exclude<WriteOutcome, { at: "unknown" }> {
    const found = this.read(key);
    if ((found?.revision ?? 0) !== expected) return { at: "conflict", found };
    this.#undo.push({ key, before: this.#entries.get(key), revision: this.#revision });
    if (this.#undo.length > mostForgotten) this.#undo.shift();
    this.#revision += 1;
    this.#entries.set(key, { entry: { key, value, revision: this.#revision }, writtenMs: this.#now() });
    return { at: "written", revision: this.#revision };
  }

  read(key: string): StoreEntry | undefined {
    const kept = this.#entries.get(key);
    if (kept === undefined) return undefined;
    if (!key.startsWith(claimKeyPrefix) || this.#now() - kept.writtenMs < this.#claimLifeMs) return kept.entry;
    this.#entries.delete(key);
    return undefined;
  }

  under(prefix: string): StoreEntry[] {
    return [...this.#entries.keys()]
      .filter((key) => key.startsWith(prefix))
      .flatMap((key) => {
        const entry = this.read(key);
        return entry === undefined ? [] : [entry];
      });
  }

  purge(key: string, upTo = Number.POSITIVE_INFINITY): void {
    if ((this.#entries.get(key)?.entry.revision ?? 0) <= upTo) this.#entries.delete(key);
  }

  /** Undoes the last writes. Their revisions are given again. */
  forget(count: number): void {
    for (const { key, before, revision } of this.#undo.splice(Math.max(0, this.#undo.length - count)).reverse()) {
      if (before === undefined) this.#entries.delete(key);
      else this.#entries.set(key, before);
      this.#revision = revision;
    }
  }
}
