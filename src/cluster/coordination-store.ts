import { assertArgument, type OptionKind, TroupeError } from "../core/internal.ts";

/** One key as it was at some time. */
export interface StoreEntry {
  readonly key: string;
  /** Means nothing to the store. At most 64 KiB. */
  readonly value: Uint8Array;
  /**
   * A whole number above 0 that rises with every write. Of two entries of one key the larger is the later, also if the key was purged or
   * has expired in between. Revisions of claims (`claim.…`) and of all other keys may be counted apart.
   */
  readonly revision: number;
}

/** Says whether a write happened. Losing a race is a value, not an error. */
export type WriteOutcome =
  | { readonly at: "written"; readonly revision: number }
  /**
   * The key is not at the revision that was expected. `found`: what is there, as far as the store says; undefined: no such key. It may be
   * an earlier write of one's own whose answer was lost.
   */
  | { readonly at: "conflict"; readonly found: StoreEntry | undefined }
  /**
   * There was no answer in time. It may have been written, or may be written later, also after a read that does not show it. A later write
   * of one's own to this key that succeeds settles it: the lost one has arrived before, or never will.
   */
  | { readonly at: "unknown" };

/** The entry that a read found. Undefined: no such key. "unknown": there was no answer in time. */
export type ReadOutcome = StoreEntry | undefined | "unknown";

/** Options of `CoordinationStore.read`. */
export interface ReadOptions {
  /** Reads what every write that was acknowledged before has left. Default: false, and the answer may be older. */
  readonly fresh?: boolean | undefined;
}

/** Is told of changes to keys under a prefix. The store calls it one call at a time; it must not throw. */
export interface StoreWatcher {
  /** An entry as it stands, or a change. Of one key revisions rise. A change may be left out when a newer one of its key follows. */
  onEntry(entry: StoreEntry): void;
  /** All that was there when the watch began has been told. Called once, and once more after each `onReset`. */
  onCaughtUp(): void;
  /** The watch may have missed something and begins anew. What `onEntry` tells next may have been told before, or be older. */
  onReset(): void;
}

/**
 * A store of small values on which all hosts of a cluster agree: a write succeeds only on the revision that its writer names.
 *
 * All clients see the writes to one key in one order, and no write succeeds on a revision that is not the last. Reads that are not fresh, and watches, may be behind. No method waits longer than the store's own
 * time limit for an answer (2 s is usual). Methods reject and throw only for arguments that `coordinationLimits` does not allow. After `close`,
 * outcomes are `unknown` and watches are silent.
 *
 * A key has tokens of `A-Z a-z 0-9 _ = -`, with dots between them. Entries whose key begins with `claim.` expire 24 h after their last
 * write; others never do.
 */
export interface CoordinationStore {
  /**
   * Writes a value if the key is at the revision `expected`. 0: the key must not exist. A copy of `value` is taken before the method
   * returns.
   */
  write(key: string, value: Uint8Array, expected: number): Promise<WriteOutcome>;
  read(key: string, options?: ReadOptions): Promise<ReadOutcome>;
  /** Watches all keys that begin with `prefix`, which ends with a dot. The watch ends with the returned function. Nothing is told inside this call. */
  watch(prefix: string, watcher: StoreWatcher): () => void;
  /**
   * Removes a key. `upTo`: only if it has this revision or an older one, also if the request arrives late. Without it only for keys that no host
   * writes again. Watchers are not told. It may fail silently.
   */
  purge(key: string, upTo?: number): Promise<void>;
  /** Sends some bytes to every other client of the store, at most once and in no order. It hurries what watches tell anyway. */
  announce(bytes: Uint8Array): void;
  /** Calls the listener with each announcement, until the returned function is called. It must not throw. */
  onAnnouncement(listener: (bytes: Uint8Array) => void): () => void;
  /** Twice is fine; never rejects. */
  close(): Promise<void>;
}

/** Limits of keys, values and announcements of a `CoordinationStore`. */
export const coordinationLimits = {
  /** Characters of a key. */
  maxKeyChars: 1_024,
  /** Bytes of a value. */
  maxValueBytes: 64 * 1_024,
  /** Bytes of an announcement. */
  maxAnnouncementBytes: 4 * 1_024,
} as const;

/** Keys that begin with this expire. */
export const claimKeyPrefix = "claim.";

/** Milliseconds after its last write at which a claim expires. */
export const claimLifeMs = 24 * 3_600_000;

const keyPattern = /^[\w=-]+(?:\.[\w=-]+)*$/;

const keyKind: OptionKind = {
  expected: `a text of tokens with dots between them, of at most ${coordinationLimits.maxKeyChars} characters`,
  accepts: isKey,
};
const prefixKind: OptionKind = {
  expected: "the beginning of a key, up to a dot",
  accepts: (value) => typeof value === "string" && value.endsWith(".") && isKey(value.slice(0, -1)),
};
const valueKind: OptionKind = {
  expected: `a Uint8Array of at most ${coordinationLimits.maxValueBytes} bytes`,
  accepts: (value) => value instanceof Uint8Array && value.byteLength <= coordinationLimits.maxValueBytes,
};
const announcementKind: OptionKind = {
  expected: `a Uint8Array of at most ${coordinationLimits.maxAnnouncementBytes} bytes`,
  accepts: (value) => value instanceof Uint8Array && value.byteLength <= coordinationLimits.maxAnnouncementBytes,
};

/** Checks a key. Adapters call it first. Throws `invalid-argument`. */
export function assertStoreKey(key: string): void {
  assertArgument(key, "The key of an entry", keyKind);
}

/** Checks the arguments of a write. Adapters call it first. Throws `invalid-argument`. */
export function assertStoreWrite(key: string, value: Uint8Array, expected: number): void {
  assertStoreKey(key);
  assertArgument(value, `The value of ${key}`, valueKind);
  if (Number.isSafeInteger(expected) && expected >= 0) return;
  throw new TroupeError(
    "invalid-argument",
    `The expected revision of ${key} is a whole number from 0 on, not ${expected}.`,
  );
}

/** Checks the prefix of a watch. Adapters call it first. Throws `invalid-argument`. */
export function assertStorePrefix(prefix: string): void {
  assertArgument(prefix, "The prefix of a watch", prefixKind);
}

/** Checks an announcement. Adapters call it first. Throws `invalid-argument`. */
export function assertAnnouncement(bytes: Uint8Array): void {
  assertArgument(bytes, "An announcement", announcementKind);
}

function isKey(value: unknown): boolean {
  return typeof value === "string" && value.length <= coordinationLimits.maxKeyChars && keyPattern.test(value);
}
