import type { Timer } from "../../core/internal.ts";
import type { Principal } from "../principal.ts";
import type { CallerQuota } from "../quotas/quota-check.ts";
import { registrationCost } from "./client-accounts.ts";
import type { KeptRegistrations, Registrations } from "./kept-registrations.ts";
import type { HeldSubscription, SubscriptionHolder } from "./subscriptions/subscription-book.ts";

/** The registrations of a client whose channel has ended, kept for its return. They route nothing and block no other client. */
export interface Reservation {
  readonly kept: KeptRegistrations;
  readonly timer: Timer;
}

export type ClientState =
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
  // protocol.md §11.20
  /** Those of its agent types that hear who calls them. Undefined: none. */
  #asking: Set<string> | undefined;
  /** Counts what the client has. Undefined: the host has no quotas, or the client is gone. */
  #quota: CallerQuota | undefined;
  /** Agent types that the client has lost to others, and the number of the last subscription that it lost with each. */
  #lost = new Map<string, number>();
  #hasNewLosses = false;
  /** The registry sweeps out what the client has lost. */
  isSweeping = false;
  /** Registrations from before the client came back that the registry has not entered again yet. */
  restoring: KeptRegistrations | undefined;
  state: ClientState;
  /** The host has warned that the client serves exclusive types beside types that the host shares for it. */
  isWarnedOfMix = false;
  /** The last exclusive type that the client has registered, and the last that the host shares for it. */
  lastExclusive: string | undefined;
  lastUnaware: string | undefined;
  /** The client has said that it stops, and registers nothing more. */
  isLeaving = false;
  reservation: Reservation | undefined;

  constructor(clientId: string, principal: Principal | undefined, state: ClientState) {
    this.clientId = clientId;
    this.principal = principal;
    this.state = state;
  }

  /** The quota of the client's principal and address. */
  get quota(): CallerQuota | undefined {
    return this.#quota;
  }

  /** The client is expected or serving: what it registers counts for a quota from now on. */
  enterQuota(quota: CallerQuota | undefined): void {
    this.#quota = quota;
  }

  /** The client is gone: what it has counts no more for its quota. */
  leaveQuota(): void {
    this.#count("types", -this.#own.types.size);
    this.#count("subscriptions", -this.#own.subscriptions.size);
    this.#quota = undefined;
  }

  #count(what: "types" | "subscriptions", difference: number): void {
    if (difference !== 0) this.#quota?.count(what, difference);
  }

  get own(): Registrations {
    return this.#own;
  }

  addType(agentType: string): void {
    this.#own.types.add(agentType);
    this.#count("types", 1);
    this.#own.reservedBytes += registrationCost.reservedType(agentType);
  }

  /** Notes whether a type of the client hears who calls it. */
  setAsking(agentType: string, isAsking: boolean): void {
    if (!isAsking) this.#asking?.delete(agentType);
    else {
      this.#asking ??= new Set();
      this.#asking.add(agentType);
    }
  }

  isAsking(agentType: string): boolean {
    return this.#asking?.has(agentType) === true;
  }

  /** False: the client does not have the type. */
  deleteType(agentType: string): boolean {
    const had = this.#own.types.delete(agentType);
    this.#asking?.delete(agentType);
    if (had) this.#count("types", -1);
    if (had) this.#own.reservedBytes -= registrationCost.reservedType(agentType);
    return had;
  }

  addSubscription(held: HeldSubscription): void {
    this.#own.subscriptions.add(held);
    this.#count("subscriptions", 1);
    this.#own.reservedBytes += registrationCost.reservedSubscription(held);
  }

  deleteSubscription(held: HeldSubscription): void {
    if (this.#own.subscriptions.delete(held)) {
      this.#count("subscriptions", -1);
      this.#own.reservedBytes -= registrationCost.reservedSubscription(held);
    }
  }

  /** Takes all from the client that it has registered. */
  takeOwn(): Registrations {
    const own = this.#own;
    this.#count("types", -own.types.size);
    this.#count("subscriptions", -own.subscriptions.size);
    this.#own = new OwnRegistrations();
    this.#asking = undefined;
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
