import { Buffer } from "node:buffer";
import {
  decodeAddSubscriptionRequest,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  durableKey,
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  method,
  type PeerUnary,
  peerLinks,
  readSharing,
  refusalKey,
  tellsPrincipalKey,
  type WirePattern,
  type WireSubscription,
} from "../protocol/internal.ts";
import { type CallContext, type MemoryAccount, type Metadata, RpcError, StatusCode } from "../transport/internal.ts";
import type { ControlRouter } from "./control/control-router.ts";
import type { DurableChanger, DurableRefusal, DurableSubscriptions } from "./mail/durable-subscriptions.ts";
import type { AgentOperations } from "./operations/agent-operations.ts";
import type { OthersSeat } from "./peers/other-hosts.ts";
import { isSamePrincipal, type Principal } from "./principal.ts";
import { whyTooLong } from "./registry/name-checks.ts";
import type { Registrant, Registry } from "./registry/registry.ts";
import { formatTerms } from "./registry/shared-terms.ts";
import type { Session } from "./sessions/session.ts";

/** The client that registers something, admitted. */
export interface Registering {
  readonly clientId: string;
  readonly principal: Principal | undefined;
  readonly account: MemoryAccount | undefined;
  /** Whether the client has announced itself with this call. */
  readonly isAnnounced: boolean;
}

/** The terms under which a client registers an agent type. */
export type TypeTerms = Pick<Registrant, "sharing" | "asksPrincipal">;

/** Reads them. Throws `RpcError` for terms that can't be read. */
export function readTerms(metadata: { readonly [name: string]: string | undefined }): TypeTerms {
  const sharing = readSharing(metadata);
  if (sharing !== undefined && "invalid" in sharing) throw invalid(sharing.invalid);
  return { sharing, asksPrincipal: metadata[tellsPrincipalKey] === "1" };
}

export interface RegistrationsParts {
  readonly registry: Registry;
  readonly sessions: { of(clientId: string): Session | undefined };
  readonly others: OthersSeat;
  readonly control: Pick<ControlRouter, "answerFor">;
  readonly agents: Pick<AgentOperations, "endForOther">;
  /** Undefined: the host keeps none. */
  readonly durableSubscriptions: DurableSubscriptions | undefined;
}

const noDurableText =
  "This host keeps no durable subscriptions: it needs a state store with mailboxes, and excludes allowMultipleOwners.";

/**
 * Registers agent types and subscriptions for clients, whether they ask this host or, in a cluster, another one. Methods throw or reject
 * with the `RpcError` that refuses the call. A lone host does all of it at once, and returns undefined where nothing needs time.
 */
export class Registrations {
  readonly #parts: RegistrationsParts;

  constructor(parts: RegistrationsParts) {
    this.#parts = parts;
  }

  // protocol.md §12.5
  /** Has the host answer that has the client's data channel, if that is another one. Undefined: it is this one, or no host has it. */
  forward(name: string, request: () => Uint8Array, from: Registering, call: CallContext): Promise<void> | undefined {
    const { others, sessions } = this.#parts;
    const { clientId, principal } = from;
    if (!others.now.areThere || sessions.of(clientId) !== undefined) return undefined;
    return others.now.forward({ method: name, clientId, principal, request: request(), call })?.then(() => undefined);
  }

  registerType(agentType: string, from: Registering, terms: TypeTerms): Promise<void> | undefined {
    const { clientId, account, principal } = from;
    const { sharing } = terms;
    const { registry, others } = this.#parts;
    this.#assertServing();
    if (others.now.areThere && sharing === undefined && registry.wouldMix(clientId, agentType))
      throw invalid(
        "A worker that does not register its types as shared serves only one type in a cluster, if that type is shared (sharedTypes).",
      );
    const shared = registry.termsOf(agentType, { sharing, principal });
    const text = shared && formatTerms(shared);
    const applicant = { agentType, clientId, isShared: shared !== undefined, terms: text, party: account?.party };
    const claiming = others.now.claimType(applicant);
    return claiming === undefined
      ? this.#registerHere(agentType, from, terms)
      : claiming.then((grant) => {
          if (grant.at === "unavailable") throw new RpcError(StatusCode.unavailable, grant.reason);
          // protocol.md §12.5: its principal is not known here.
          if (grant.at === "held") throw invalid(`Agent type ${agentType} already registered with client ${grant.by}.`);
          return this.#registerHere(agentType, from, terms);
        });
  }

  // protocol.md §12.7
  #assertServing(): void {
    if (this.#parts.others.now.isServing) return;
    const text = "This host has lost touch with its cluster. Try again later, or at another host.";
    throw new RpcError(StatusCode.unavailable, text);
  }

  #registerHere(agentType: string, from: Registering, terms: TypeTerms): Promise<void> | undefined {
    const { registry, others } = this.#parts;
    const { clientId, principal, account } = from;
    const outcome = registry.registerType(clientId, agentType, { principal, account, ...terms });
    if (outcome.at !== "registered") {
      if (!registry.isServed(agentType)) others.now.releaseType(agentType);
      others.now.releaseShared(agentType, clientId);
    }
    switch (outcome.at) {
      case "registered": {
        const routed = registry.routed(agentType);
        if (!others.now.areThere) return routed;
        return routed === undefined ? others.now.subscribed() : routed.then(() => others.now.subscribed());
      }
      case "taken": {
        // protocol.md §11.9
        const isOwn = isSamePrincipal(registry.ownerOf(outcome.by)?.principal, principal);
        if (!isOwn) throw invalid(`Agent type ${agentType} already registered.`);
        const text = `Agent type ${agentType} already registered with client ${outcome.by}.`;
        throw invalid(text, this.#holderMetadata(outcome.by, from));
      }
      case "invalid":
        throw invalid(outcome.reason);
      case "full":
        throw new RpcError(StatusCode.resourceExhausted, outcome.reason);
    }
  }

  // protocol.md §11.18
  /** `isDurable`: the host keeps it, too. */
  subscribe(subscription: WireSubscription, from: Registering, isDurable: boolean): Promise<void> | undefined {
    const { registry, others, durableSubscriptions } = this.#parts;
    const { clientId, principal, account } = from;
    this.#assertServing();
    if (isDurable && durableSubscriptions === undefined) throw invalid(noDurableText);
    const outcome = registry.addSubscription(clientId, subscription, { principal, account });
    switch (outcome.at) {
      case "added": {
        const { pattern } = subscription;
        if (!isDurable || pattern === undefined) return others.now.subscribed();
        return this.#keep(subscription.id, pattern, from).then(() => others.now.subscribed());
      }
      case "exists":
        throw invalid("Subscription already exists");
      case "invalid":
        throw invalid(outcome.reason);
      case "full":
        throw new RpcError(StatusCode.resourceExhausted, outcome.reason);
    }
  }

  /**
   * `call`: undefined for one that another host has passed on; it is not passed on again. `isDurable`: the host keeps the subscription no
   * more.
   */
  unsubscribe(
    id: string,
    from: Registering,
    { call, isDurable }: { readonly call: CallContext | undefined; readonly isDurable: boolean },
  ): Promise<void> | undefined {
    const restored = this.#parts.registry.restored(from.clientId);
    if (restored === undefined && !isDurable) return this.#unsubscribeHere(id, from, call);
    return this.#unsubscribeLater(id, from, { call, isDurable, restored });
  }

  async #unsubscribeLater(
    id: string,
    from: Registering,
    later: {
      readonly call: CallContext | undefined;
      readonly isDurable: boolean;
      readonly restored: Promise<void> | undefined;
    },
  ): Promise<void> {
    if (later.restored !== undefined) await later.restored;
    if (later.isDurable) await this.#drop(id, from);
    return this.#unsubscribeHere(id, from, later.call);
  }

  /** Keeps a durable subscription that was added just now. The client has none if the host can't keep it. */
  async #keep(id: string, pattern: WirePattern, from: Registering): Promise<void> {
    const { registry, durableSubscriptions } = this.#parts;
    const kept = await durableSubscriptions?.add(pattern, this.#changerOf(pattern, from));
    if (kept === undefined || kept.at === "done") return;
    registry.removeSubscription(from.clientId, id, from.principal);
    throw notKept(kept);
  }

  /** Keeps a durable subscription of a client no more. */
  async #drop(id: string, from: Registering): Promise<void> {
    const { registry, durableSubscriptions } = this.#parts;
    for (const { id: ownId, pattern } of registry.subscriptionsOf(from.clientId)) {
      if (ownId !== id || pattern === undefined) continue;
      const dropped = await durableSubscriptions?.remove(pattern, this.#changerOf(pattern, from));
      if (dropped !== undefined && dropped.at !== "done") throw notKept(dropped);
      return;
    }
  }

  #changerOf({ agentType }: WirePattern, { principal, account }: Registering): DurableChanger {
    const { registry } = this.#parts;
    return {
      principal: principal?.name,
      party: account?.party ?? "",
      servedBy: () => {
        if (!registry.isServed(agentType)) return "nobody";
        return registry.servesFor(principal, agentType) ? "own principal" : "another principal";
      },
    };
  }

  #unsubscribeHere(
    id: string,
    { clientId, principal }: Registering,
    call: CallContext | undefined,
  ): Promise<void> | undefined {
    const { registry, others } = this.#parts;
    const unknown = (): RpcError => new RpcError(StatusCode.notFound, "Subscription does not exist");
    switch (registry.removeSubscription(clientId, id, principal)) {
      case "removed":
        return undefined;
      case "unknown": {
        if (call === undefined || !others.now.areThere) throw unknown();
        const request = encodeRemoveSubscriptionRequest(id);
        const ask = { method: method.removeSubscription, clientId, principal, request };
        return others.now.askAll({ ...ask, call }).then((answers) => {
          if (!answers.every((answer) => answer instanceof RpcError)) return;
          throw answers.find(isUnsure) ?? unknown();
        });
      }
      case "foreign":
        throw new RpcError(StatusCode.permissionDenied, "Subscription belongs to another client");
    }
  }

  /** Returns the encoded subscriptions of all hosts that the caller may see; of those hosts that answer within a second. */
  list(from: Registering, call: CallContext): Promise<Uint8Array> {
    const { others, registry } = this.#parts;
    return others.now.areThere ? this.#listAll(from, call) : registry.listing.list(call, from.principal);
  }

  async #listAll({ clientId, principal }: Registering, call: CallContext): Promise<Uint8Array> {
    const { registry, others } = this.#parts;
    const ask = { method: method.getSubscriptions, clientId, principal, request: emptyMessage, call };
    const [own, lists] = await Promise.all([registry.listing.list(call, principal), others.now.askAll(ask)]);
    // The encodings of parts of a list are the encoding of the list when they are put together.
    return Buffer.concat([own, ...lists.flatMap((list) => (list instanceof RpcError ? [] : [list]))]);
  }

  // protocol.md §12.5
  /** Answers a call that another host has passed on; that host has admitted it. */
  async answer(ask: PeerUnary, account: MemoryAccount): Promise<Uint8Array> {
    const { registry, sessions, control, agents } = this.#parts;
    const { clientId, request } = ask;
    if (ask.method === peerLinks.endAgent) return agents.endForOther(request);
    if (clientId === "" || whyTooLong(clientId) !== undefined) throw invalid("The client id is empty or too long.");
    const principal = ask.principal === undefined ? undefined : { name: ask.principal };
    const session = sessions.of(clientId);
    const from = { clientId, principal, account: session?.account ?? account, isAnnounced: false };
    if (session !== undefined && !isSamePrincipal(session.owner.principal, principal)) {
      throw new RpcError(
        StatusCode.permissionDenied,
        "Another principal uses this client-id. Use a client-id of your own.",
      );
    }
    const isForClient = ask.method === method.registerAgent || ask.method === method.addSubscription;
    if (session === undefined && isForClient) {
      throw new RpcError(StatusCode.unavailable, `Client ${clientId} has left this host. Try again later.`);
    }
    switch (ask.method) {
      case method.registerAgent:
        await this.registerType(decodeRegisterAgentRequest(request), from, readTerms(ask.metadata));
        return emptyMessage;
      case method.addSubscription:
        await this.subscribe(decodeAddSubscriptionRequest(request), from, ask.metadata[durableKey] === "1");
        return emptyMessage;
      case method.removeSubscription:
        await this.unsubscribe(decodeRemoveSubscriptionRequest(request), from, {
          call: undefined,
          isDurable: ask.metadata[durableKey] === "1",
        });
        return emptyMessage;
      case method.getSubscriptions:
        return registry.listing.list({ signal: new AbortController().signal, account }, principal);
      // protocol.md §12.4
      case method.openControlChannel:
        return control.answerFor({ clientId, principal }, request, account);
      default:
        throw new RpcError(StatusCode.unimplemented, `This host does not answer ${ask.method} for other hosts.`);
    }
  }

  /** Says who holds an agent type, to an announced worker only. */
  #holderMetadata(holderId: string, { clientId, isAnnounced }: Registering): Metadata | undefined {
    const { sessions } = this.#parts;
    if (!isAnnounced && !sessions.of(clientId)?.traits.isAnnounced) return undefined;
    const address = sessions.of(holderId)?.owner.address;
    const holder = { [refusalKey.holder]: holderId };
    return address === undefined ? holder : { ...holder, [refusalKey.holderAddress]: address };
  }
}

/** The request of a call that another host has to answer. */
export const requestOf = {
  registerType: (agentType: string) => () => encodeRegisterAgentRequest(agentType),
  subscribe: (subscription: WireSubscription) => () => encodeAddSubscriptionRequest(subscription),
  unsubscribe: (id: string) => () => encodeRemoveSubscriptionRequest(id),
} as const;

function notKept({ at, reason }: DurableRefusal): RpcError {
  switch (at) {
    case "full":
      return new RpcError(StatusCode.resourceExhausted, reason);
    case "foreign":
      return new RpcError(StatusCode.permissionDenied, reason);
    case "failed":
      return new RpcError(StatusCode.unavailable, reason);
  }
}

/** Whether a host may have a subscription although it has removed none. */
function isUnsure(answer: Uint8Array | RpcError): boolean {
  const code = answer instanceof RpcError ? answer.status.code : StatusCode.ok;
  return code === StatusCode.unavailable || code === StatusCode.resourceExhausted;
}

export function invalid(details: string, metadata?: Metadata): RpcError {
  return new RpcError(StatusCode.invalidArgument, details, { metadata });
}
