import type { AdminHost } from "../admin-host.ts";
import { failureOf } from "./failure.ts";
import { FailureRing } from "./failure-ring.ts";

/** Notes the recent failures of a host as they happen, from the start of the model to its end. */
export class HostModel {
  readonly #ends: readonly (() => void)[];

  constructor(host: AdminHost) {
    const failures = new FailureRing({ nowMs: () => host.clock.wallNow() });
    const end = host.observe((what) => {
      const failure = failureOf(what);
      if (failure !== undefined) failures.add(failure);
    }, "failures");
    this.#ends = [end, host.listFailures(failures)];
  }

  /** Notes no more. */
  close(): void {
    for (const end of this.#ends) end();
  }
}
