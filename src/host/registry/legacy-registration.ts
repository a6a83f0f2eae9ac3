import type { MakeId } from "../../core/internal.ts";
import { encodeFrame, type WirePattern } from "../../protocol/internal.ts";
import type { Peer } from "../sessions/peer.ts";
import type { Registry } from "./registry.ts";
import { formatTerms } from "./shared-terms.ts";

/** Takes an agent type for this host in its cluster. Undefined: there is no other host, or this one has the type. */
interface TypeClaimer {
  readonly now: {
    readonly areThere: boolean;
    claimType(applicant: {
      readonly agentType: string;
      readonly clientId: string;
      readonly isShared: boolean;
      readonly terms: string | undefined;
    }): Promise<TypeGrant> | undefined;
    releaseType(agentType: string): void;
    releaseShared(agentType: string, clientId: string): void;
  };
}

type TypeGrant =
  | { readonly at: "granted" }
  | { readonly at: "held" }
  | { readonly at: "unavailable"; readonly reason: string };

// protocol.md §1.6
/** Generation 1's registration inside the data channel. The host answers on the channel that asked, and only there. */
export class LegacyRegistration {
  readonly #registry: Registry;
  readonly #makeId: MakeId;
  readonly #claimer: TypeClaimer;

  constructor(registry: Registry, makeId: MakeId, claimer: TypeClaimer) {
    this.#registry = registry;
    this.#makeId = makeId;
    this.#claimer = claimer;
  }

  registerType(peer: Peer, requestId: string, agentType: string): void {
    if (this.#claimer.now.areThere && this.#registry.wouldMix(peer.id, agentType)) {
      const error = "In a cluster such a worker serves only one type, if that type is shared (sharedTypes).";
      return acknowledge(peer, "register-type", requestId, error);
    }
    const principal = this.#registry.ownerOf(peer.id)?.principal;
    const shared = this.#registry.termsOf(agentType, { principal });
    const terms = shared && formatTerms(shared);
    const isShared = shared !== undefined;
    const claiming = this.#claimer.now.claimType({ agentType, clientId: peer.id, isShared, terms });
    if (claiming === undefined) return this.#registerType(peer, requestId, agentType);
    void claiming.then((grant) => {
      if (grant.at === "granted") return this.#registerType(peer, requestId, agentType);
      const error = grant.at === "held" ? `Agent type ${agentType} already registered.` : grant.reason;
      acknowledge(peer, "register-type", requestId, error);
    });
  }

  #registerType(peer: Peer, requestId: string, agentType: string): void {
    const outcome = this.#registry.registerType(peer.id, agentType, { account: peer.account });
    if (outcome.at !== "registered") {
      if (!this.#registry.isServed(agentType)) this.#claimer.now.releaseType(agentType);
      this.#claimer.now.releaseShared(agentType, peer.id);
    }
    switch (outcome.at) {
      case "registered": {
        const routed = this.#registry.routed(agentType);
        if (routed === undefined) acknowledge(peer, "register-type", requestId, undefined);
        else void routed.then(() => acknowledge(peer, "register-type", requestId, undefined));
        return;
      }
      case "taken":
        return acknowledge(peer, "register-type", requestId, `Agent type ${agentType} already registered.`);
      case "invalid":
      case "full":
        return acknowledge(peer, "register-type", requestId, outcome.reason);
    }
  }

  /** Generation 1 knows no subscription ids: the host makes one and keeps it to itself. */
  subscribe(peer: Peer, requestId: string, pattern: WirePattern | undefined): void {
    const outcome = this.#registry.addSubscription(peer.id, { id: this.#makeId(), pattern }, { account: peer.account });
    switch (outcome.at) {
      case "added":
        return acknowledge(peer, "subscribe", requestId, undefined);
      case "exists":
        return acknowledge(peer, "subscribe", requestId, "Subscription already exists");
      case "invalid":
      case "full":
        return acknowledge(peer, "subscribe", requestId, outcome.reason);
    }
  }
}

function acknowledge(
  peer: Peer,
  of: "register-type" | "subscribe",
  requestId: string,
  error: string | undefined,
): void {
  peer.send(encodeFrame({ kind: "ack", of, requestId, success: error === undefined, error }), "answer");
}
