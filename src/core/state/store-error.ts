import { brandClass } from "../copies.ts";
import { type ErrorCode, TroupeError, type TroupeErrorOptions } from "../errors.ts";

/**
 * The reasons for which a store does not do what it was asked. A code never changes its meaning.
 * - `full`: there is no space; it continues when there is.
 * - `unavailable`: it can't read or write now; nothing has changed.
 * - `unknown`: it can't say whether the commit has happened.
 * - `corrupt`: its data is damaged, gone or replaced; it needs an operator.
 * - `fenced`: another opening of the store holds it now. This one never writes again.
 * - `in-use`: it can't be opened, since another process holds it.
 * - `not-open`: `open` was not called.
 * - `closed`: `close` was called.
 * - `overloaded`: too much waits for it.
 * - `too-large`: it never takes a message of this length; the text says what to change.
 */
export type StoreErrorCode =
  | "full"
  | "unavailable"
  | "unknown"
  | "corrupt"
  | "fenced"
  | "in-use"
  | "not-open"
  | "closed"
  | "overloaded"
  | "too-large";

/**
 * A store could not do what it was asked. Its `code` is `state-unknown` if the commit may have happened. Otherwise nothing has changed:
 * it is `message-too-large`, or `state-unavailable`.
 */
export class StoreError extends TroupeError {
  override readonly name = "StoreError";
  readonly storeCode: StoreErrorCode;

  constructor(storeCode: StoreErrorCode, message: string, options?: TroupeErrorOptions) {
    super(codeOf(storeCode), message, options);
    this.storeCode = storeCode;
  }
}

function codeOf(storeCode: StoreErrorCode): ErrorCode {
  if (storeCode === "too-large") return "message-too-large";
  return storeCode === "unknown" ? "state-unknown" : "state-unavailable";
}

brandClass(StoreError, "StoreError");
