import type { CallContext } from "../../../transport/internal.ts";
import { isSamePrincipal, type Principal } from "../../principal.ts";
import { SubscriptionListing, type SubscriptionListingParts } from "./subscription-listing.ts";

/** Principals whose last lists are kept. */
const mostKept = 64;

/**
 * The lists of subscriptions that callers may see. Without principals there is one list for all. With principals each of them sees the
 * subscriptions of its own clients alone, since their ids and topics tell of the others.
 */
export class SubscriptionListings {
  readonly #parts: SubscriptionListingParts;
  readonly #isEnforced: boolean;
  /** By the name of the principal; the one that was asked for longest ago first. */
  readonly #listings = new Map<string | undefined, SubscriptionListing>();

  constructor(parts: SubscriptionListingParts, isEnforced: boolean) {
    this.#parts = parts;
    this.#isEnforced = isEnforced;
  }

  /** A subscription has come or gone. */
  changed(): void {
    for (const listing of this.#listings.values()) listing.changed();
  }

  /** Rejects with an `RpcError` when there is no memory for the list or for the wait, and when the caller leaves. */
  list(call: Pick<CallContext, "signal" | "account">, principal?: Principal): Promise<Uint8Array> {
    const name = this.#isEnforced ? principal?.name : undefined;
    const listing = this.#listings.get(name) ?? this.#create(principal);
    this.#listings.delete(name);
    this.#listings.set(name, listing);
    const [oldest] = this.#listings.keys();
    if (this.#listings.size > mostKept) {
      // It gives its memory back. A list that is being made still goes to those who wait.
      this.#listings.get(oldest)?.changed();
      this.#listings.delete(oldest);
    }
    return listing.list(call);
  }

  #create(principal: Principal | undefined): SubscriptionListing {
    if (!this.#isEnforced) return new SubscriptionListing(this.#parts);
    return new SubscriptionListing({
      ...this.#parts,
      isShown: ({ holder }) => isSamePrincipal(holder.principal, principal),
    });
  }
}
