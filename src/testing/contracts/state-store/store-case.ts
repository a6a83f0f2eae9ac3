import { equal, ok } from "node:assert/strict";
import {
  type AgentName,
  type Clock,
  type Commit,
  type CommitOutcome,
  type DurableLog,
  type Expected,
  type MailBoundOptions,
  type StateRecord,
  type StateStore,
  StoreError,
  type StoreErrorCode,
} from "../../../core/internal.ts";
import { ManualClock } from "../../manual-clock.ts";

/** Options of a store that the suite tests. */
export interface TestedStoreOptions {
  /** The clock that the store must take times from. The suite moves it. */
  readonly clock: Clock;
  /** Bounds of the mail that the store must have. Default: its own. */
  readonly mail?: MailBoundOptions | undefined;
}

type MaybePromise<T> = T | Promise<T>;

/** Breaks an open store so that its next commits fail; resolves to what mends it. */
export type BreakStore = (store: StateStore) => MaybePromise<() => MaybePromise<void>>;

/** The faults that a store can be given. */
export interface StoreFaults {
  /** There is no space for a commit of 1 MiB. */
  readonly full?: BreakStore | undefined;
  /** The store can't be reached. */
  readonly unavailable?: BreakStore | undefined;
  /** The stored data is damaged. The suite does not mend it. */
  readonly corrupt?: BreakStore | undefined;
}

/** A store under test. */
export interface StateStoreAdapter {
  /** Makes a new, empty store. The suite calls its `open`. */
  create(options: TestedStoreOptions): MaybePromise<StateStore>;
  /**
   * Makes another store over the data of one that `create` made, as another process would. That one may be open or closed. The suite
   * calls its `open`.
   */
  reopen(store: StateStore, options: TestedStoreOptions): MaybePromise<StateStore>;
  /** Cases of faults that are left out do not run. Default: none run. */
  readonly faults?: StoreFaults | undefined;
}

/** Tools of one case; it closes afterwards whatever they made. */
export class StoreLab {
  readonly clock = new ManualClock(Date.UTC(2030, 0, 1));
  readonly #adapter: StateStoreAdapter;
  readonly #stores: StateStore[] = [];
  #mail: MailBoundOptions | undefined;

  constructor(adapter: StateStoreAdapter) {
    this.#adapter = adapter;
  }

  /** A new, empty store. */
  async create(mail?: MailBoundOptions): Promise<StateStore> {
    this.#mail = mail;
    const store = await this.#adapter.create({ clock: this.clock, mail });
    this.#stores.push(store);
    return store;
  }

  /** A new, empty store that is open. */
  async open(mail?: MailBoundOptions): Promise<StateStore> {
    const store = await this.create(mail);
    await store.open();
    return store;
  }

  /** Another store over the same data, not open. */
  async another(store: StateStore): Promise<StateStore> {
    const other = await this.#adapter.reopen(store, { clock: this.clock, mail: this.#mail });
    this.#stores.push(other);
    return other;
  }

  /** Closes a store and opens its data again. */
  async reopen(store: StateStore): Promise<StateStore> {
    await store.close();
    const again = await this.another(store);
    await again.open();
    return again;
  }

  async close(): Promise<void> {
    for (const store of this.#stores.reverse()) await store.close();
  }
}

/** The log of a store. A store without one passes its cases without being asked. */
export async function openLog(
  lab: StoreLab,
  mail?: MailBoundOptions,
): Promise<{ store: StateStore; log: DurableLog } | undefined> {
  const store = await lab.open(mail);
  return store.log === undefined ? undefined : { store, log: store.log };
}

/** One promise of the port, and the function that tests it. */
export interface StoreCase {
  readonly promise: string;
  readonly tryIt: (lab: StoreLab) => Promise<void>;
}

/** The agent of most cases. */
export const agent: AgentName = { type: "counter", key: "k" };
export const anything: Expected = { at: "anything" };
export const nothing: Expected = { at: "nothing" };
export const json = "application/json";

const encoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Makes a commit: that of `agent`, which keeps the record, if nothing else is said. */
export function commitOf(parts: Partial<Commit> = {}): Commit {
  return {
    ...{ agent, epoch: undefined, expected: anything, write: { at: "keep" } as const },
    ...{ reminders: [], mail: [], remembered: [] },
    ...parts,
  };
}

/** Makes a commit that puts a text. */
export function putOf(text: string, parts: Partial<Commit> = {}): Commit {
  const write = { at: "put", contentType: json, schemaVersion: 1, data: bytesOf(text) } as const;
  return commitOf({ write, ...parts });
}

/** Makes a reminder that is due at a time. */
export function reminderAt(name: string, dueMs: number, message = name) {
  return { at: "set", name, dueMs, rule: "every 1h", message: bytesOf(message) } as const;
}

/** Tries one commit. */
export async function commitOne(store: StateStore, commit: Commit): Promise<CommitOutcome> {
  const [outcome, ...others] = await store.commit([commit]);
  equal(others.length, 0, "one commit has one outcome");
  ok(outcome !== undefined, "a commit has an outcome");
  return outcome;
}

/** Tries one commit that must succeed. */
export async function committed(
  store: StateStore,
  commit: Commit,
): Promise<Extract<CommitOutcome, { readonly at: "committed" }>> {
  const outcome = await commitOne(store, commit);
  ok(outcome.at === "committed", `expected it to be committed, but it is ${JSON.stringify(outcome)}`);
  return outcome;
}

/** Loads a record that must be there. */
export async function loaded(store: StateStore, name: AgentName = agent): Promise<StateRecord> {
  const record = await store.load(name);
  ok(record !== undefined && record !== "unchanged", `expected a record of ${name.type}/${name.key}`);
  return record;
}

/** Expects an outcome of this kind with this eTag. */
export function conflicts(outcome: CommitOutcome | undefined, eTag: string | undefined): void {
  ok(outcome?.at === "conflict", `expected a conflict, but it is ${JSON.stringify(outcome)}`);
  equal(outcome.eTag, eTag);
}

/** Expects a rejection with one of these codes. */
export async function rejectsAs(promise: Promise<unknown>, ...codes: readonly StoreErrorCode[]): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  ok(error instanceof StoreError, `expected a StoreError, but it is ${String(error)}`);
  ok(codes.includes(error.storeCode), `expected ${codes.join(" or ")}, but it is ${error.storeCode}: ${error.message}`);
}
