import type { HostCounters } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import { failureOf } from "./failure.ts";
import { FailureRing } from "./failure-ring.ts";

/**
 * Shows a host to operators. The present comes from the host when it is asked. Recent failures are noted as they happen, from the start of the
 * model to its end.
 */
export class HostModel {
  readonly #host: AdminHost;
  readonly #ends: readonly (() => void)[];

  constructor(host: AdminHost) {
    this.#host = host;
    const failures = new FailureRing({ nowMs: () => host.clock.wallNow() });
    const end = host.observe((what) => {
      const failure = failureOf(what);
      if (failure !== undefined) failures.add(failure);
    }, "failures");
    this.#ends = [end, host.listFailures(failures)];
  }

  async counters(signal: AbortSignal): Promise<HostCounters> {
    return (await this.#host.inspect({ maxSessions: 0, maxTypes: 0, signal })).totals;
  }

  /** Notes no more. */
  close(): void {
    for (const end of this.#ends) end();
  }
}
