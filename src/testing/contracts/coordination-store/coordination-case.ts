import { deepEqual, equal, ok } from "node:assert/strict";
import type { CoordinationStore, StoreEntry, StoreWatcher, WriteOutcome } from "../../../cluster/index.ts";
import type { Clock } from "../../../core/internal.ts";
import { ManualClock } from "../../manual-clock.ts";

type MaybePromise<T> = T | Promise<T>;

/** Options of a coordination store that the suite tests. */
export interface TestedCoordinationOptions {
  /** A store in memory takes the time from this clock. A server has its own. */
  readonly clock: Clock;
}

/** Faults that the suite may give a coordination store. Cases of faults that are left out do not run. */
export interface CoordinationFaults {
  /** Loses all answers to a client, while what it asks for is done; resolves to what ends that. */
  readonly loseAnswers?: ((store: CoordinationStore) => MaybePromise<() => MaybePromise<void>>) | undefined;
  /** Takes the store away from all its clients, and brings it back with what it had. */
  readonly restart?: ((store: CoordinationStore) => MaybePromise<void>) | undefined;
  /** Lets 24 hours pass for the store. */
  readonly letADayPass?: ((store: CoordinationStore, clock: ManualClock) => MaybePromise<void>) | undefined;
}

/** A coordination store under test. */
export interface CoordinationAdapter {
  /** Makes a client of a new, empty store. */
  create(options: TestedCoordinationOptions): MaybePromise<CoordinationStore>;
  /** Makes another client of the store that a client has, as another host has it. */
  another(store: CoordinationStore, options: TestedCoordinationOptions): MaybePromise<CoordinationStore>;
  /** Default: none. */
  readonly faults?: CoordinationFaults | undefined;
}

/** Tools of one case; it closes afterwards whatever they made. */
export class CoordinationLab {
  readonly clock = new ManualClock();
  readonly #adapter: CoordinationAdapter;
  readonly #stores: CoordinationStore[] = [];

  constructor(adapter: CoordinationAdapter) {
    this.#adapter = adapter;
  }

  get faults(): CoordinationFaults {
    return this.#adapter.faults ?? {};
  }

  /** A client of a new, empty store. */
  async create(): Promise<CoordinationStore> {
    return this.#add(await this.#adapter.create({ clock: this.clock }));
  }

  /** Another client of the same store. */
  async another(store: CoordinationStore): Promise<CoordinationStore> {
    return this.#add(await this.#adapter.another(store, { clock: this.clock }));
  }

  async close(): Promise<void> {
    for (const store of this.#stores.reverse()) await store.close();
  }

  #add(store: CoordinationStore): CoordinationStore {
    this.#stores.push(store);
    return store;
  }
}

/** One promise of the port, and the function that tests it. */
export interface CoordinationCase {
  readonly promise: string;
  readonly tryIt: (lab: CoordinationLab) => Promise<void>;
}

/** Writes down what a watch tells, and resolves when it has told enough. */
export class WatchRecorder implements StoreWatcher {
  readonly entries: StoreEntry[] = [];
  caughtUp = 0;
  resets = 0;
  #waiting: { readonly isEnough: () => boolean; readonly resolve: () => void }[] = [];

  onEntry(entry: StoreEntry): void {
    this.entries.push(entry);
    this.#look();
  }

  onCaughtUp(): void {
    this.caughtUp += 1;
    this.#look();
  }

  onReset(): void {
    this.resets += 1;
    this.#look();
  }

  /** The newest text of each key. */
  get texts(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.entries.map(({ key, value }) => [key, textOf(value)]));
  }

  /** Resolves when the watch has told this text of a key. */
  told(key: string, text: string): Promise<void> {
    return this.until(() => this.texts[key] === text);
  }

  until(isEnough: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ isEnough, resolve });
      this.#look();
    });
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ isEnough, resolve }) => {
      if (!isEnough()) return true;
      resolve();
      return false;
    });
  }
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Writes a text that must be written; returns its revision. */
export async function written(store: CoordinationStore, key: string, text: string, expected = 0): Promise<number> {
  const outcome = await store.write(key, bytesOf(text), expected);
  equal(outcome.at, "written", JSON.stringify(outcome));
  return outcome.at === "written" ? outcome.revision : 0;
}

/** Checks that a write has lost against a text. Undefined: against the absence of the key. */
export function assertConflict(outcome: WriteOutcome, text: string | undefined): void {
  equal(outcome.at, "conflict", JSON.stringify(outcome));
  if (outcome.at === "conflict") equal(outcome.found && textOf(outcome.found.value), text);
}

/** Checks what a fresh read finds. */
export async function assertHas(store: CoordinationStore, key: string, text: string, revision: number): Promise<void> {
  const found = await store.read(key, { fresh: true });
  ok(found !== undefined && found !== "unknown", `${key} was not found`);
  deepEqual([found.key, textOf(found.value), found.revision], [key, text, revision]);
}
