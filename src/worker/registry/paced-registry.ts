import { followAbort, unfollowAbort } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import type { HostRegistry } from "./host-registry.ts";

/** Registrations and removals of one connection that wait for the host's answer at once. */
const mostAtOnce = 64;

/** A call that waits for its turn. */
interface Waiting {
  readonly begin: () => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * Has few calls under way at the host at once, and begins them in the order in which they came. Thousands at once would keep both
 * processes busy for seconds, in which neither answers a keep-alive. The time limit of a call begins when the call does.
 */
export class PacedRegistry implements HostRegistry {
  readonly #registry: HostRegistry;
  readonly #waiting: (Waiting | undefined)[] = [];
  /** Index of the first call that waits. */
  #first = 0;
  #running = 0;

  constructor(registry: HostRegistry) {
    this.#registry = registry;
  }

  registerType(agentType: string, signal?: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#registry.registerType(agentType, signal), signal);
  }

  addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#registry.addSubscription(subscription, signal), signal);
  }

  removeSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#registry.removeSubscription(subscription, signal), signal);
  }

  subscriptions(signal?: AbortSignal): Promise<readonly WireSubscription[] | undefined> {
    return this.#registry.subscriptions(signal);
  }

  /** Rejects all calls that wait for their turn. Those under way continue. */
  giveUp(error: unknown): void {
    for (const waiting of this.#waiting.splice(0)) waiting?.refuse(error);
    this.#first = 0;
  }

  async #inTurn(call: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    if (this.#running < mostAtOnce) this.#running += 1;
    else await this.#turn(signal);
    try {
      await call();
    } finally {
      this.#next();
    }
  }

  /** Resolves when a call that ends passes its place on. Rejects when the signal aborts first. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting[this.#waiting.indexOf(waiting)] = undefined;
        waiting.refuse(signal?.reason);
      };
      const waiting: Waiting = {
        begin: () => {
          unfollowAbort(signal, onAbort);
          resolve();
        },
        refuse: (error) => {
          unfollowAbort(signal, onAbort);
          reject(error);
        },
      };
      this.#waiting.push(waiting);
      followAbort(signal, onAbort);
      if (signal?.aborted === true) onAbort();
    });
  }

  #next(): void {
    while (this.#first < this.#waiting.length) {
      const waiting = this.#waiting[this.#first];
      this.#waiting[this.#first] = undefined;
      this.#first += 1;
      if (waiting !== undefined) return waiting.begin();
    }
    this.#waiting.length = 0;
    this.#first = 0;
    this.#running -= 1;
  }
}

/** Waits for the end of all calls, and then rejects as the first one that failed. `onFailure` learns of each failure at once. */
export async function settleAll(calls: readonly Promise<void>[], onFailure: (error: unknown) => void): Promise<void> {
  for (const call of calls) call.catch(onFailure);
  for (const end of await Promise.allSettled(calls)) if (end.status === "rejected") throw end.reason;
}
