import type { Clock } from "../../core/internal.ts";
import { method } from "../../protocol/internal.ts";
import { FairCount, type FairCountOptions, type Place } from "../../transport/internal.ts";
import type { Principal } from "../principal.ts";
import type { QuotaCheck } from "../quotas/quota-check.ts";
import { Client, type ClientState, type Reservation } from "./client.ts";
import type { ClientAccounts } from "./client-accounts.ts";
import { KeptRegistrations } from "./kept-registrations.ts";
import { Reservations } from "./reservations.ts";

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
  /** Called before a client loses its place because another address needed it. */
  readonly onGaveWay: FairCountOptions["onGaveWay"];
  /** Others needed the place of a client: the host must forget it in a later turn. */
  readonly giveWay: (clientId: string, reason: string) => void;
  /** The streams and calls of a client that wait for `authorize` now; all of them, or those of one method. */
  readonly pendingOf: (clientId: string, method?: string) => readonly Promise<unknown>[];
  /** Takes the memory of reservations. */
  readonly accounts: ClientAccounts;
  /** Undefined: the host has no quotas. */
  readonly quotas?: QuotaCheck | undefined;
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
  /** Shares the places of expected and serving clients between peer addresses. */
  readonly #shared: FairCount;
  readonly #places = new Map<string, Place>();
  #isClosed = false;

  constructor(parts: ClientsParts) {
    this.#parts = parts;
    const { maxClients, maxReservedEntries: maxEntries } = parts.bounds;
    this.#reserved = new Reservations({ maxClients, maxEntries });
    this.#shared = new FairCount({ max: maxClients, onGaveWay: parts.onGaveWay });
  }

  get reservedCount(): number {
    return this.#reserved.size;
  }

  /** Whether another client of the address may register. One of another address may have to give way for that. */
  mayAdd(party: string): boolean {
    return this.#shared.mayTake(party);
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
  expect(clientId: string, principal: Principal | undefined, party: string): Client {
    const { clock, orphanMs, onExpired } = this.#parts;
    const client = this.#clients.get(clientId) ?? new Client(clientId, principal, { at: "reserved" });
    const timer = clock.setTimer(orphanMs, () =>
      this.#afterAdmissions(this.#parts.pendingOf(clientId, method.openChannel), () => {
        if (client.state === expected) onExpired(client);
      }),
    );
    const expected: ClientState = { at: "expected", timer };
    this.#enter(client, expected, party);
    return client;
  }

  /** The channel of a client is open. Returns the client, and what it had reserved. */
  arrive(
    clientId: string,
    principal: Principal | undefined,
    party: string,
  ): { readonly client: Client; readonly before: KeptRegistrations | undefined } {
    const client = this.#clients.get(clientId) ?? new Client(clientId, principal, { at: "reserved" });
    if (client.state.at === "expected") client.state.timer.cancel();
    const before = this.#dropReservation(client);
    before?.timer.cancel();
    client.isLeaving = false;
    this.#enter(client, { at: "serving" }, party);
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
    this.#leavePlace(clientId);
    client.leaveQuota();
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

  #enter(client: Client, state: ClientState, party: string): void {
    const { clientId } = client;
    if (client.state.at === "reserved") {
      client.enterQuota(this.#parts.quotas?.of(client.principal, party));
      const reason = `This host keeps the registrations of ${this.#parts.bounds.maxClients} clients (maxSessions). This address had most of them, and others needed a place.`;
      this.#places.set(
        clientId,
        this.#shared.take(party, () => this.#parts.giveWay(clientId, reason)),
      );
    }
    client.state = state;
    this.#clients.set(client.clientId, client);
  }

  #leavePlace(clientId: string): void {
    this.#places.get(clientId)?.leave();
    this.#places.delete(clientId);
  }

  #reserve(before: Client, reservation: Reservation): void {
    const { clientId, principal } = before;
    // What is reserved routes nothing, and counts for no quota until the client comes back.
    const client = new Client(clientId, principal, { at: "reserved" });
    client.reservation = reservation;
    client.inheritLosses(before);
    this.#clients.set(clientId, client);
    this.#reserved.add(client, reservation.kept.entries, this.#parts.accounts.partyOf(clientId));
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
