import type { Clock, Timer } from "../../core/internal.ts";
import { method } from "../../protocol/internal.ts";
import type { Principal } from "../principal.ts";
import { type ClientAccounts, registrationCost } from "./client-accounts.ts";
import { KeptRegistrations, type Registrations } from "./kept-registrations.ts";
import { Reservations } from "./reservations.ts";
import type { HeldSubscription, SubscriptionHolder } from "./subscription-book.ts";

/** The registrations of a client whose channel has ended, kept for its return. They route nothing and block no other client. */
interface Reservation {
  readonly kept: KeptRegistrations;
  readonly timer: Timer;
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
  #own = new OwnRegistrations();
  /** Agent types that the client has lost to others, and the number of the last subscription that it lost with each. */
  #lost = new Map<string, number>();
  #hasNewLosses = false;
  /** The registry sweeps out what the client has lost. */
  isSweeping = false;
  /** Registrations from before the client came back that the registry has not entered again yet. */
  restoring: KeptRegistrations | undefined;
  state: ClientState;
  /** The client has said that it stops, and registers nothing more. */
  isLeaving = false;
  reservation: Reservation | undefined;

  constructor(clientId: string, principal: Principal | undefined, state: ClientState) {
    this.clientId = clientId;
    this.principal = principal;
    this.state = state;
  }

  get own(): Registrations {
    return this.#own;
  }

  addType(agentType: string): void {
    this.#own.types.add(agentType);
    this.#own.reservedBytes += registrationCost.reservedType(agentType);
  }

  /** False: the client does not have the type. */
  deleteType(agentType: string): boolean {
    const had = this.#own.types.delete(agentType);
    if (had) this.#own.reservedBytes -= registrationCost.reservedType(agentType);
    return had;
  }

  addSubscription(held: HeldSubscription): void {
    this.#own.subscriptions.add(held);
    this.#own.reservedBytes += registrationCost.reservedSubscription(held);
  }

  deleteSubscription(held: HeldSubscription): void {
    if (this.#own.subscriptions.delete(held)) {
      this.#own.reservedBytes -= registrationCost.reservedSubscription(held);
    }
  }

  /** Takes all from the client that it has registered. */
  takeOwn(): Registrations {
    const own = this.#own;
    this.#own = new OwnRegistrations();
    return own;
  }

  /** The client loses the subscriptions for agents of this type up to the one with the number. They count for nothing from now on. */
  lose(agentType: string, lastNumber: number): void {
    this.#lost.set(agentType, lastNumber);
    this.#hasNewLosses = true;
  }

  /** Whether the client has lost anything since the last call. */
  takeNewLosses(): boolean {
    const had = this.#hasNewLosses;
    this.#hasNewLosses = false;
    return had;
  }

  /** All that the client has lost is swept out, and nothing of it will be restored. */
  forgetLosses(): void {
    this.#lost = new Map();
  }

  /** Takes over the losses of another record of the client. */
  inheritLosses(from: Client): void {
    this.#lost = from.#lost;
  }

  hasLost({ pattern, number }: HeldSubscription): boolean {
    return this.#lost.size > 0 && number <= (this.#lost.get(pattern.agentType) ?? 0);
  }

  get isGone(): boolean {
    return this.state.at === "gone";
  }
}

class OwnRegistrations implements Registrations {
  readonly types = new Set<string>();
  readonly subscriptions = new Set<HeldSubscription>();
  reservedBytes: number = registrationCost.reservedClient;
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
  ): { readonly client: Client; readonly before: KeptRegistrations | undefined } {
    const client = this.#clients.get(clientId) ?? new Client(clientId, principal, { at: "reserved" });
    if (client.state.at === "expected") client.state.timer.cancel();
    const before = this.#dropReservation(client);
    before?.timer.cancel();
    client.isLeaving = false;
    this.#enter(client, { at: "serving" });
    return { client, before: before?.kept };
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
    const { clientId, state, own, restoring } = client;
    if (state.at === "gone" || this.#clients.get(clientId) !== client) return;
    if (state.at === "expected") state.timer.cancel();
    if (state.at !== "reserved") this.#liveCount -= 1;
    client.state = { at: "gone" };
    this.#clients.delete(clientId);
    const before = this.#dropReservation(client);
    if (before !== undefined) return this.#reserve(client, before);
    if (this.#isClosed || graceMs <= 0) return restoring?.drop();
    const kept = KeptRegistrations.keep(own, restoring, this.#parts.accounts.of(clientId, undefined));
    if (kept === undefined) return;
    const timer = this.#parts.clock.setTimer(graceMs, () =>
      this.#afterAdmissions(this.#parts.pendingOf(clientId), () => {
        // The client may have come back meanwhile, and left again.
        if (this.#clients.get(clientId)?.reservation === reservation) this.#expireReservation(clientId);
      }),
    );
    const reservation: Reservation = { kept, timer };
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

  #reserve(before: Client, reservation: Reservation): void {
    const { clientId, principal } = before;
    const client = new Client(clientId, principal, { at: "reserved" });
    client.reservation = reservation;
    client.inheritLosses(before);
    this.#clients.set(clientId, client);
    this.#reserved.add(client, reservation.kept.entries);
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
    const reservation = this.#dropReservation(client);
    if (reservation !== undefined) {
      reservation.timer.cancel();
      reservation.kept.drop();
      this.#parts.accounts.settle(clientId);
    }
    if (client.state.at !== "reserved") return;
    client.state = { at: "gone" };
    this.#clients.delete(clientId);
  }

  /** Takes the reservation off a client; its timer continues. */
  #dropReservation(client: Client): Reservation | undefined {
    const { reservation } = client;
    if (reservation === undefined) return undefined;
    client.reservation = undefined;
    this.#reserved.remove(client);
    return reservation;
  }
}
