import { onTestFinished } from "vitest";
import { AccountCalls, type AccountCallsOptions } from "./account-calls.ts";

export { type AccountBook, saysUnchanged } from "./account-calls.ts";

/** The calls of a test, which end with it. */
export class AccountLoad extends AccountCalls {
  constructor(options: AccountCallsOptions) {
    super(options);
    onTestFinished(() => this.abandon());
  }
}
