import type { Clock, Timer } from "../../core/internal.ts";
import { method, type WireSubscription } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { Principal } from "../principal.ts";
import { type ClientAccounts, registrationCost } from "./client-accounts.ts";
import { Reservations } from "./reservations.ts";
import type { HeldSubscription, SubscriptionHolder } from "./subscription-book.ts";

/** The registrations of a client whose channel has ended, kept for its return. They route nothing and block no other client. */
interface Reservation {
  readonly types: readonly string[];
  readonly subscriptions: readonly WireSubscription[];
  readonly timer: Timer;
  readonly account: MemoryAccount;
}

type ClientState =
  /** The client has registered, and its channel is still to come. It may have a reservation from before. */
  | { readonly at: "expected"; readonly timer: Timer }
  /** Its channel is open. */
  | { readonly at: "serving" }
  /** Its channel has ended, and it may come back for a while. */
  | { readonly at: "reserved" }
  /** Nothing of it counts any more; its subscriptions may still have to be swept out. */
  | { readonly at: "gone" };

/** One client that the host knows. */
export class Client implements SubscriptionHolder {
  readonly clientId: string;
  /** The principal that the client belongs to; undefined for an anonymous one. */
  readonly principal: Principal | undefined;
  readonly types = new Set<string>();
  readonly subscriptions = new Set<HeldSubscription>();
  /** Subscriptions from before the reconnection that the registry has not entered again yet. */
  restoring = new Set<WireSubscription>();
  state: ClientState;
  /** The client has said that it stops, and registers nothing more. */
  isLeaving = false;
  reservation: Reservation | undefined;

  constructor(clientId: string, principal: Principal | undefined, state: ClientState) {
    this.clientId = clientId;
    this.principal = principal;
    this.state = state;
  }

  get isGone(): boolean {
    return this.state.at === "gone";
  }
}

export interface ClientBounds {
  /** Clients that are expected or serving, and again as many reservations. */
  readonly maxClients: number;
  /** Agent types and subscriptions of all reservations together. */
  readonly maxReservedEntries: number;
}

export interface ClientsParts {
  readonly clock: Clock;
  /** Milliseconds in which the channel of an expected client must come. */
  readonly orphanMs: number;
  readonly bounds: ClientBounds;
  /** The streams and calls of a client that wait for `authorize` now; all of them, or those of one method. */
  readonly pendingOf: (clientId: string, method?: string) => readonly Promise<unknown>[];
  /** Takes the memory of reservations. */
  readonly accounts: ClientAccounts;
  /** The channel of an expected client did not come in time; the registry removes what the client had registered. */
  readonly onExpired: (client: Client) => void;
}

// protocol.md §2.1
/** All clients by their ids, each in one state. Bounded in time and number; `Reservations` says which reservation goes first. */
export class Clients {
  readonly #parts: ClientsParts;
  readonly #clients = new Map<string, Client>();
  /** Clients with a reservation: an index for the bound. */
  readonly #reserved: Reservations<Client>;
  #liveCount = 0;
  #isClosed = false;

  constructor(parts: ClientsParts) {
    this.#parts = parts;
    const { maxClients, maxReservedEntries: maxEntries } = parts.bounds;
    this.#reserved = new Reservations({ maxClients, maxEntries });
  }

  get reservedCount(): number {
    return this.#reserved.size;
  }

  /** True: no other client may register. */
  get isFull(): boolean {
    return this.#liveCount >= this.#parts.bounds.maxClients;
  }

  /** A client that is expected or serving. */
  find(clientId: string): Client | undefined {
    const client = this.#clients.get(clientId);
    return client?.state.at === "reserved" ? undefined : client;
  }

  /** The principal that a client id belongs to, also one that is only reserved. Undefined: the registry knows no such client. */
  ownerOf(clientId: string): Pick<Client, "principal"> | undefined {
    return this.#clients.get(clientId);
  }

  /** A client registers ahead of its channel: it becomes expected. */
  expect(clientId: string, principal: Principal | undefined): Client {
    const { clock, orphanMs, onExpired } = this.#parts;
    const client = this.#clients.get(clientId) ?? new Client(clientId, principal, { at: "reserved" });
    const timer = clock.setTimer(orphanMs, () =>
      this.#afterAdmissions(this.#parts.pendingOf(clientId, method.openChannel), () => {
        if (client.state === expected) onExpired(client);
      }),
    );
    const expected: ClientState = { at: "expected", timer };
    this.#enter(client, expected);
    return client;
  }

  /** The channel of a client is open. Returns the client, and what it had reserved. */
  arrive(
    clientId: string,
    principal: Principal | undefined,
  ): { readonly client: Client; readonly before: Reservation | undefined } {
    const client = this.#clients.get(clientId) ?? new Client(clientId, principal, { at: "reserved" });
    if (client.state.at === "expected") client.state.timer.cancel();
    const before = this.#dropReservation(client);
    client.isLeaving = false;
    this.#enter(client, { at: "serving" });
    return { client, before };
  }

  /** The client says that it stops. What it has registered is gone; the new record takes nothing more. */
  beginLeaving(client: Client): void {
    const { clientId, principal, state } = client;
    const leaving = new Client(clientId, principal, state);
    leaving.isLeaving = true;
    client.state = { at: "gone" };
    this.#clients.set(clientId, leaving);
  }

  /** The client is gone. With a grace it may come back and find what it had registered. */
  leave(client: Client, graceMs: number): void {
    const { clientId, state, types, subscriptions, restoring } = client;
    if (state.at === "gone" || this.#clients.get(clientId) !== client) return;
    if (state.at === "expected") state.timer.cancel();
    if (state.at !== "reserved") this.#liveCount -= 1;
    client.state = { at: "gone" };
    this.#clients.delete(clientId);
    const before = this.#dropReservation(client, false);
    if (before !== undefined) return this.#reserve(client, before);
    if (this.#isClosed || graceMs <= 0 || (types.size === 0 && subscriptions.size === 0 && restoring.size === 0))
      return;
    const entered = [...subscriptions].map(({ id, pattern }) => ({ id, pattern }));
    const account = this.#parts.accounts.of(clientId, undefined);
    const kept = { types: [...types], subscriptions: [...entered, ...restoring], account };
    if (!account.take(costOf(kept))) return;
    const timer = this.#parts.clock.setTimer(graceMs, () =>
      this.#afterAdmissions(this.#parts.pendingOf(clientId), () => {
        // The client may have come back meanwhile, and left again.
        if (this.#clients.get(clientId)?.reservation === reservation) this.#expireReservation(clientId);
      }),
    );
    const reservation: Reservation = { ...kept, timer };
    this.#reserve(client, reservation);
  }

  /** The client's time is up: acts at once, or when what waits for `authorize` is decided. The admission's own limit bounds that. */
  #afterAdmissions(pending: readonly Promise<unknown>[], act: () => void): void {
    if (pending.length === 0) act();
    else void Promise.allSettled(pending).then(act);
  }

  /** Stops all timers, forgets every reservation and makes no more. */
  close(): void {
    this.#isClosed = true;
    for (const client of this.#clients.values()) if (client.state.at === "expected") client.state.timer.cancel();
    for (const { clientId } of this.#reserved.all()) this.#expireReservation(clientId);
  }

  #enter(client: Client, state: ClientState): void {
    if (client.state.at === "reserved") this.#liveCount += 1;
    client.state = state;
    this.#clients.set(client.clientId, client);
  }

  #reserve({ clientId, principal }: Client, reservation: Reservation): void {
    const client = new Client(clientId, principal, { at: "reserved" });
    client.reservation = reservation;
    this.#clients.set(clientId, client);
    this.#reserved.add(client, entriesOf(reservation));
    for (let gone = this.#reserved.surplus(); gone !== undefined; gone = this.#reserved.surplus())
      this.#expireReservation(gone.clientId);
  }

  /** Forgets a client that is only reserved. */
  dropReserved(clientId: string): void {
    this.#expireReservation(clientId);
  }

  #expireReservation(clientId: string): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    this.#dropReservation(client);
    if (client.state.at !== "reserved") return;
    client.state = { at: "gone" };
    this.#clients.delete(clientId);
  }

  /** Takes the reservation off a client; its timer continues for one that is kept under another record. */
  #dropReservation(client: Client, isOver = true): Reservation | undefined {
    const { reservation } = client;
    if (reservation === undefined) return undefined;
    client.reservation = undefined;
    if (isOver) {
      reservation.timer.cancel();
      reservation.account.release(costOf(reservation));
      this.#parts.accounts.settle(client.clientId);
    }
    this.#reserved.remove(client);
    return reservation;
  }
}

function costOf({ types, subscriptions }: Pick<Reservation, "types" | "subscriptions">): number {
  return registrationCost.reservation(types, subscriptions);
}

function entriesOf({ types, subscriptions }: Reservation): number {
  return types.length + subscriptions.length;
}
