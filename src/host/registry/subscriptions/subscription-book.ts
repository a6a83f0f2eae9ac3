import { isSamePattern, type WirePattern } from "../../../protocol/internal.ts";
import { FairShare, type MemoryAccount } from "../../../transport/internal.ts";
import { isSamePrincipal, type Principal } from "../../principal.ts";
import { topicOf } from "../name-checks.ts";
import { EqualsIndex } from "./equals-index.ts";

/** The client that a subscription belongs to. */
export interface SubscriptionHolder {
  readonly clientId: string;
  /** The principal that the client belongs to. */
  readonly principal: Principal | undefined;
  /** The client has left: its subscriptions are still to be swept out, and count for nothing. */
  readonly isGone: boolean;
  /** Whether the client has lost the subscription with its agent type: the same holds for this one. */
  hasLost(subscription: HeldSubscription): boolean;
}

/** A subscription that the registry enters. */
export interface NewSubscription<H extends SubscriptionHolder = SubscriptionHolder> {
  readonly id: string;
  readonly pattern: WirePattern;
  readonly holder: H;
  /** Holds its memory until the host has swept it out. */
  readonly account: MemoryAccount;
}

/** A subscription that the host holds for a client. */
export class HeldSubscription implements NewSubscription {
  readonly id: string;
  readonly pattern: WirePattern;
  readonly holder: SubscriptionHolder;
  readonly account: MemoryAccount;
  /** Its place in the order in which subscriptions came. */
  readonly number: number;
  /** The clients among which it is compared with others. */
  readonly scope: string | undefined;
  /** Whether the topic index has its pattern. */
  isRouted = false;

  constructor({ id, pattern, holder, account }: NewSubscription, number: number, scope: string | undefined) {
    this.id = id;
    this.pattern = pattern;
    this.holder = holder;
    this.account = account;
    this.number = number;
    this.scope = scope;
  }

  /** False: it counts for nothing, and is still to be swept out. */
  get isLive(): boolean {
    return !this.holder.isGone && !this.holder.hasLost(this);
  }
}

/** A client that asks about a subscription. */
type Asker = Pick<SubscriptionHolder, "clientId" | "principal">;

// protocol.md §5.2
/**
 * All subscriptions in the order they came, found by id and by content. Two are equal when they are of one kind and have the
 * same id or the same content. The book compares those of one principal; for a type with several owners, those of one client only. It
 * never finds those that are not live.
 */
export class SubscriptionBook {
  readonly #all = new Set<HeldSubscription>();
  readonly #byId = new EqualsIndex<HeldSubscription>();
  readonly #byContent = new EqualsIndex<HeldSubscription>();
  readonly #comparesClients: boolean;
  readonly #isShared: (agentType: string) => boolean;
  /** Shares the bound of subscriptions between the addresses of their clients. */
  readonly #share: FairShare;
  #lastNumber = 0;

  constructor(options: {
    readonly comparesClients: boolean;
    readonly maxSubscriptions: number;
    /** Whether several clients may serve the agent type. Default: none. */
    readonly isShared?: (agentType: string) => boolean;
  }) {
    this.#share = new FairShare(options.maxSubscriptions);
    this.#comparesClients = options.comparesClients;
    this.#isShared = options.isShared ?? (() => false);
  }

  /** Counts those that are not live too, until they are removed. */
  get size(): number {
    return this.#all.size;
  }

  /** Whether a client with this account may add one more. */
  mayAdd({ party }: MemoryAccount): boolean {
    return this.#share.mayAdd(party);
  }

  /** The number of the subscription that came last. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** `known`: this client holds the very same subscription. `exists`: some client holds an equal one. Undefined: it may be added. */
  find(
    asker: Asker,
    { id, pattern }: { readonly id: string; readonly pattern: WirePattern },
  ): "known" | "exists" | undefined {
    const scope = this.#scopeOf(asker, pattern.agentType);
    const { clientId, principal } = asker;
    const equals = [
      ...this.#byId.of(id, scope).filter((held) => held.pattern.kind === pattern.kind),
      ...this.#byContent.of(contentOf(pattern), scope),
    ].filter(({ holder }) => isSamePrincipal(holder.principal, principal));
    if (
      equals.some((held) => held.id === id && held.holder.clientId === clientId && isSamePattern(held.pattern, pattern))
    )
      return "known";
    return equals.length > 0 ? "exists" : undefined;
  }

  add(added: NewSubscription): HeldSubscription {
    this.#lastNumber += 1;
    const held = new HeldSubscription(added, this.#lastNumber, this.#scopeOf(added.holder, added.pattern.agentType));
    this.#all.add(held);
    this.#share.add(held.account.party);
    this.#byId.add(held.id, held);
    this.#byContent.add(contentOf(held.pattern), held);
    return held;
  }

  remove(held: HeldSubscription): void {
    if (this.#all.delete(held)) this.#share.remove(held.account.party);
    this.#byId.remove(held.id, held);
    this.#byContent.remove(contentOf(held.pattern), held);
  }

  /** The subscriptions of one client with this id. */
  ownWithId(asker: Asker, id: string): readonly HeldSubscription[] {
    const { clientId, principal } = asker;
    const scopes = this.#comparesClients ? [principal?.name, ofClient(clientId)] : [ofClient(clientId)];
    return scopes.flatMap((scope) => this.#byId.of(id, scope).filter(({ holder }) => holder.clientId === clientId));
  }

  /** All clients' subscriptions with this id. */
  withId(id: string): Iterable<HeldSubscription> {
    return this.#byId.all(id);
  }

  /** All subscriptions in the order in which they came; others may come and go meanwhile. Some may not be live. */
  values(): Iterable<HeldSubscription> {
    return this.#all;
  }

  #scopeOf({ clientId, principal }: Asker, agentType: string): string | undefined {
    return this.#comparesClients && !this.#isShared(agentType) ? principal?.name : ofClient(clientId);
  }
}

/** No principal has such a name by accident. */
function ofClient(clientId: string): string {
  return `\u0000${clientId}`;
}

function contentOf(pattern: WirePattern): string {
  return JSON.stringify([pattern.kind, topicOf(pattern), pattern.agentType]);
}
