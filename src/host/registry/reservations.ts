import type { Principal } from "../principal.ts";

/** A client that may come back, as the bounds see it. */
export interface ReservedClient {
  readonly principal: Principal | undefined;
}

interface Share<C> {
  /** With the number of their entries; the oldest first. */
  readonly clients: Map<C, number>;
  entries: number;
}

export interface ReservationBounds {
  readonly maxClients: number;
  readonly maxEntries: number;
}

// protocol.md §2.1
/**
 * The reservations of each principal, within a common bound. Beyond it the oldest one goes of the principal that has most, so that
 * no principal takes those of another. The anonymous clients of one peer address count as one principal.
 */
export class Reservations<C extends ReservedClient> {
  readonly #bounds: ReservationBounds;
  readonly #shares = new Map<string, Share<C>>();
  readonly #shareOf = new Map<C, string>();
  #clients = 0;
  #entries = 0;

  constructor(bounds: ReservationBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#clients;
  }

  /** Clients while others are added and removed. */
  all(): readonly C[] {
    return [...this.#shares.values()].flatMap(({ clients }) => [...clients.keys()]);
  }

  /** `party`: the peer address of the client; it counts for an anonymous one. */
  add(client: C, entries: number, party = ""): void {
    const name = client.principal === undefined ? `of ${party}` : `by ${client.principal.name}`;
    this.#shareOf.set(client, name);
    const share = this.#shares.get(name) ?? { clients: new Map<C, number>(), entries: 0 };
    this.#shares.set(name, share);
    share.clients.set(client, entries);
    share.entries += entries;
    this.#clients += 1;
    this.#entries += entries;
  }

  remove(client: C): void {
    const name = this.#shareOf.get(client) ?? "";
    const share = this.#shares.get(name);
    const entries = share?.clients.get(client);
    if (share === undefined || entries === undefined) return;
    share.clients.delete(client);
    this.#shareOf.delete(client);
    share.entries -= entries;
    this.#clients -= 1;
    this.#entries -= entries;
    if (share.clients.size === 0) this.#shares.delete(name);
  }

  /** The client whose reservation has to go; undefined: all are within the bounds. */
  surplus(): C | undefined {
    if (this.#clients > this.#bounds.maxClients) return this.#oldestOfMost(({ clients }) => clients.size);
    if (this.#entries > this.#bounds.maxEntries) return this.#oldestOfMost(({ entries }) => entries);
    return undefined;
  }

  #oldestOfMost(measure: (share: Share<C>) => number): C | undefined {
    let most: Share<C> | undefined;
    for (const share of this.#shares.values()) if (most === undefined || measure(share) > measure(most)) most = share;
    for (const client of most?.clients.keys() ?? []) return client;
    return undefined;
  }
}
