import type { Clock, Timer } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";

/** What a client has declared. */
export interface Declared {
  readonly types: readonly string[];
  readonly subscriptions: readonly WireSubscription[];
}

interface Dormant extends Declared {
  readonly timer: Timer;
}

export interface ReservationBounds {
  readonly maxClients: number;
  /** Agent types and subscriptions of all of them together. */
  readonly maxEntries: number;
}

/**
 * What clients had declared whose channels have ended and who may come back under their ids (protocol.md §2.1). Nothing of
 * it routes or is in anybody's way. Bounded in time and number; the oldest goes first.
 */
export class ReconnectReservations {
  readonly #clock: Clock;
  readonly #bounds: ReservationBounds;
  readonly #clients = new Map<string, Dormant>();
  #entries = 0;

  constructor(clock: Clock, bounds: ReservationBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#clients.size;
  }

  keep(clientId: string, { types, subscriptions }: Declared, graceMs: number): void {
    if (graceMs <= 0 || (types.length === 0 && subscriptions.length === 0)) return;
    this.wake(clientId);
    const timer = this.#clock.setTimer(graceMs, () => this.wake(clientId));
    this.#clients.set(clientId, { types, subscriptions, timer });
    this.#entries += types.length + subscriptions.length;
    for (const oldest of this.#clients.keys()) {
      if (!this.#isOverfull()) return;
      this.wake(oldest);
    }
  }

  /** The client is back, or its time is over: it is dormant no more. */
  wake(clientId: string): Declared | undefined {
    const dormant = this.#clients.get(clientId);
    if (dormant === undefined) return undefined;
    dormant.timer.cancel();
    this.#clients.delete(clientId);
    this.#entries -= dormant.types.length + dormant.subscriptions.length;
    return dormant;
  }

  /** Forgets everybody. */
  clear(): void {
    for (const { timer } of this.#clients.values()) timer.cancel();
    this.#clients.clear();
    this.#entries = 0;
  }

  #isOverfull(): boolean {
    const { maxClients, maxEntries } = this.#bounds;
    return this.#clients.size > maxClients || this.#entries > maxEntries;
  }
}
