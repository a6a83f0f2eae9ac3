import type { Clock, Timer } from "../core/index.ts";
import type { WireSubscription } from "../protocol/index.ts";

/** What a client has declared. */
export interface Declared {
  readonly types: readonly string[];
  readonly subscriptions: readonly WireSubscription[];
}

interface Dormant extends Declared {
  readonly timer: Timer;
}

/**
 * What clients had declared whose channels have ended and who may come back under their ids (protocol.md §2.1). Nothing of
 * it routes or is in anybody's way. Bounded in time and number; the oldest goes first.
 */
export class DormantClients {
  readonly #clock: Clock;
  readonly #maxClients: number;
  readonly #clients = new Map<string, Dormant>();

  constructor(clock: Clock, maxClients: number) {
    this.#clock = clock;
    this.#maxClients = maxClients;
  }

  get size(): number {
    return this.#clients.size;
  }

  keep(clientId: string, { types, subscriptions }: Declared, graceMs: number): void {
    if (graceMs <= 0 || (types.length === 0 && subscriptions.length === 0)) return;
    this.wake(clientId);
    const oldest = this.#clients.keys().next();
    if (this.#clients.size >= this.#maxClients && !oldest.done) this.wake(oldest.value);
    const timer = this.#clock.setTimer(graceMs, () => this.#clients.delete(clientId));
    this.#clients.set(clientId, { types, subscriptions, timer });
  }

  /** The client is back, or its time is over: it is dormant no more. */
  wake(clientId: string): Declared | undefined {
    const dormant = this.#clients.get(clientId);
    dormant?.timer.cancel();
    this.#clients.delete(clientId);
    return dormant;
  }

  /** Forgets everybody. */
  clear(): void {
    for (const { timer } of this.#clients.values()) timer.cancel();
    this.#clients.clear();
  }
}
