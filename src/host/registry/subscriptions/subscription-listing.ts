import { Buffer } from "node:buffer";
import { followAbort, unfollowAbort } from "../../../core/internal.ts";
import { encodeGetSubscriptionsResponse } from "../../../protocol/internal.ts";
import { type CallContext, type MemoryAccount, RpcError, StatusCode } from "../../../transport/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import { limits } from "../../limits.ts";
import type { HeldSubscription, SubscriptionBook } from "./subscription-book.ts";

export interface SubscriptionListingParts {
  readonly book: SubscriptionBook;
  readonly batches: BatchRunner;
  /** Whether a subscription is in the lists. Default: all are. */
  readonly isShown?: ((held: HeldSubscription) => boolean) | undefined;
  /** Opens an account for one list. `giveWay`: the list must be forgotten. */
  readonly openAccount: (giveWay: (reason: string) => void) => MemoryAccount;
}

/** A call that waits for a list. */
interface Waiter {
  readonly resolve: (list: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The making of one list. */
interface Encoding {
  readonly waiters: Set<Waiter>;
  readonly account: MemoryAccount;
  /** A subscription has come or gone since the beginning: later calls need another list. */
  isStale: boolean;
  /** The memory was needed elsewhere. */
  refusal: string | undefined;
}

/** A list that nothing has changed since. */
interface KeptList {
  readonly bytes: Uint8Array;
  readonly account: MemoryAccount;
}

/** About what the host keeps of a call that waits, and of a part of the list beside its bytes. */
const waiterBytes = 600;
const partBytes = 200;

/**
 * Answers of GetSubscriptions as bytes. All calls that come between two changes share one list; all answers are the same buffer. One list is made
 * at a time, in batches, and at most one more is wanted meanwhile, however many calls wait. The list that is up to date is kept. Its
 * bytes, and those of its parts, are on an account that no client has; it is the first to go when others need space.
 */
export class SubscriptionListing {
  readonly #parts: SubscriptionListingParts;
  #kept: KeptList | undefined;
  #running: Encoding | undefined;
  /** Calls for which the list that is made now is too old. */
  #next = new Set<Waiter>();

  constructor(parts: SubscriptionListingParts) {
    this.#parts = parts;
  }

  /** A subscription has come or gone. */
  changed(): void {
    if (this.#running !== undefined) this.#running.isStale = true;
    this.#forget();
  }

  /** Rejects with an `RpcError` when there is no memory for the list or for the wait, and when the caller leaves. */
  list({ signal, account }: Pick<CallContext, "signal" | "account">): Promise<Uint8Array> {
    if (this.#kept !== undefined) return Promise.resolve(this.#kept.bytes);
    if (account?.take(waiterBytes) === false) return Promise.reject(noRoom(account.whyNot(waiterBytes)));
    const running = this.#running;
    const waiters = running === undefined || running.isStale ? this.#next : running.waiters;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiters.delete(waiter);
        reject(signal.reason);
        settle();
      };
      const settle = (): void => {
        unfollowAbort(signal, leave);
        account?.release(waiterBytes);
      };
      const waiter: Waiter = {
        resolve: (list) => {
          resolve(list);
          settle();
        },
        reject: (error) => {
          reject(error);
          settle();
        },
      };
      waiters.add(waiter);
      followAbort(signal, leave);
      if (signal.aborted) leave();
      this.#start();
    });
  }

  /** Begins the list that is wanted next, unless one is being made. */
  #start(): void {
    if (this.#running !== undefined || this.#next.size === 0) return;
    const account = this.#parts.openAccount((reason) => {
      encoding.refusal = reason;
      if (this.#kept?.account === account) this.#kept = undefined;
    });
    const encoding: Encoding = { waiters: this.#next, account, isStale: false, refusal: undefined };
    this.#next = new Set();
    this.#running = encoding;
    this.#parts.batches.add(this, this.#making(encoding));
  }

  *#making(encoding: Encoding): Iterable<() => void> {
    const { waiters, account } = encoding;
    const parts: Uint8Array[] = [];
    const add = (group: readonly HeldSubscription[]): void => {
      const part = encodeGetSubscriptionsResponse(group.filter(({ isLive }) => isLive));
      if (account.take(part.length + partBytes)) parts.push(part);
      else encoding.refusal ??= account.whyNot(part.length + partBytes);
    };
    let group: HeldSubscription[] = [];
    // What comes later is in the next list; without this bound a list might never end.
    const last = this.#parts.book.lastNumber;
    const { isShown } = this.#parts;
    let passed = 0;
    for (const held of this.#parts.book.values()) {
      if (held.number > last || waiters.size === 0 || encoding.refusal !== undefined) break;
      if (isShown === undefined || isShown(held)) group.push(held);
      passed += 1;
      if (passed % limits.listedAtOnce !== 0) continue;
      const full = group.length >= limits.listedTogether ? group : [];
      if (full === group) group = [];
      yield () => {
        if (full.length > 0) add(full);
      };
    }
    yield () => {
      add(group);
      this.#finish(encoding, parts);
    };
    this.#start();
  }

  #finish(encoding: Encoding, parts: readonly Uint8Array[]): void {
    const { waiters, account } = encoding;
    this.#running = undefined;
    const list = waiters.size === 0 ? undefined : joined(parts, encoding);
    for (const waiter of waiters) {
      if (list === undefined) waiter.reject(noRoom(encoding.refusal ?? ""));
      else waiter.resolve(list);
    }
    if (list === undefined || encoding.isStale) account.close();
    else this.#kept = { bytes: list, account };
  }

  #forget(): void {
    this.#kept?.account.close();
    this.#kept = undefined;
  }
}

/** Undefined: there is no memory for it. */
function joined(parts: readonly Uint8Array[], encoding: Encoding): Uint8Array | undefined {
  if (encoding.refusal !== undefined) return undefined;
  const { account } = encoding;
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (!account.take(bytes)) {
    encoding.refusal = account.whyNot(bytes);
    return undefined;
  }
  const list = Buffer.concat(parts, bytes);
  account.release(bytes + parts.length * partBytes);
  return list;
}

function noRoom(why: string): RpcError {
  return new RpcError(StatusCode.resourceExhausted, `The list of subscriptions finds no space. ${why}`);
}
