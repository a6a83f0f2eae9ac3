import type {
  HostCounters,
  InspectedSession,
  InspectedType,
  ListedCall,
  ListedSubscription,
} from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import { failureOf } from "./failure.ts";
import { FailureRing } from "./failure-ring.ts";

/** A page whose rows are found by numbers. */
export interface NumberedQuery<Row> {
  readonly after: number;
  readonly limit: number;
  readonly isWanted: (row: Row) => boolean;
}

/**
 * Shows a host to operators. The present comes from the host when it is asked. Recent failures are noted as they happen, from the start of the
 * model to its end.
 */
export class HostModel {
  readonly failures: FailureRing;
  readonly #host: AdminHost;
  readonly #end: () => void;

  constructor(host: AdminHost) {
    this.#host = host;
    const failures = new FailureRing({ nowMs: () => host.clock.wallNow() });
    this.failures = failures;
    this.#end = host.observe((what) => {
      const failure = failureOf(what);
      if (failure !== undefined) failures.add(failure);
    }, "failures");
  }

  /** The time of the host, in milliseconds since 1970. */
  wallNow(): number {
    return this.#host.clock.wallNow();
  }

  /** All sessions: a host has at most 10,000, and gathers them in batches. */
  async sessions(signal: AbortSignal): Promise<readonly InspectedSession[]> {
    return (await this.#host.inspect({ maxTypes: 0, signal })).sessions;
  }

  /** Agent types and their owners, 100,000 at most. */
  async types(signal: AbortSignal): Promise<readonly InspectedType[]> {
    return (await this.#host.inspect({ maxSessions: 0, maxTypes: mostTypes, signal })).types;
  }

  async counters(signal: AbortSignal): Promise<HostCounters> {
    return (await this.#host.inspect({ maxSessions: 0, maxTypes: 0, signal })).totals;
  }

  calls(query: NumberedQuery<ListedCall>, signal: AbortSignal) {
    return this.#host.messages.calls(query, signal);
  }

  subscriptions(query: NumberedQuery<ListedSubscription>, signal: AbortSignal) {
    return this.#host.messages.subscriptions(query, signal);
  }

  /** Notes no more. */
  close(): void {
    this.#end();
  }
}

const mostTypes = 100_000;
