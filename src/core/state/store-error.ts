import { brandClass } from "../copies.ts";
import { TroupeError, type TroupeErrorOptions } from "../errors.ts";

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
  | "overloaded";

/**
 * A store could not do what it was asked. Its `code` is `state-unknown` if the commit may have happened, else `state-unavailable`:
 * nothing has changed.
 */
export class StoreError extends TroupeError {
  override readonly name = "StoreError";
  readonly storeCode: StoreErrorCode;

  constructor(storeCode: StoreErrorCode, message: string, options?: TroupeErrorOptions) {
    super(storeCode === "unknown" ? "state-unknown" : "state-unavailable", message, options);
    this.storeCode = storeCode;
  }
}
brandClass(StoreError, "StoreError");
