import { isSamePattern, type WirePattern } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { Principal } from "../principal.ts";
import { Multiset } from "./multiset.ts";

/** The client that a subscription belongs to. */
export interface SubscriptionHolder {
  readonly clientId: string;
  /** The principal that the client belongs to. */
  readonly principal: Principal | undefined;
  /** The client has left: its subscriptions are still to be swept out, and count for nothing. */
  readonly isGone: boolean;
}

/** A subscription that the host holds for a client. */
export interface HeldSubscription {
  readonly id: string;
  readonly pattern: WirePattern;
  readonly holder: SubscriptionHolder;
  /** Holds its memory until the host has swept it out. */
  readonly account: MemoryAccount;
}

// protocol.md §5.2
/**
 * All subscriptions in the order they came, found by id and by content. Two are equal when they are of one kind and have the
 * same id or the same content. Where types are shared, the book compares those of one client only. It never finds those
 * whose holder is gone.
 */
export class SubscriptionBook {
  readonly #all = new Set<HeldSubscription>();
  readonly #byId = new Map<string, HeldSubscription[]>();
  readonly #byContent = new Map<string, HeldSubscription[]>();
  readonly #holders = new Map<string, Multiset<SubscriptionHolder>>();
  readonly #comparesClients: boolean;

  constructor(options: { readonly comparesClients: boolean }) {
    this.#comparesClients = options.comparesClients;
  }

  /** Counts those of gone holders too, until they are removed. */
  get size(): number {
    return this.#all.size;
  }

  /** `known`: this client holds the very same subscription. `exists`: some client holds an equal one. Undefined: it may be added. */
  find(
    clientId: string,
    { id, pattern }: { readonly id: string; readonly pattern: WirePattern },
  ): "known" | "exists" | undefined {
    const equals = this.#equalsOf(clientId, id, pattern);
    if (
      equals.some((held) => held.id === id && held.holder.clientId === clientId && isSamePattern(held.pattern, pattern))
    )
      return "known";
    return equals.length > 0 ? "exists" : undefined;
  }

  add(subscription: HeldSubscription): void {
    this.#all.add(subscription);
    push(this.#byId, subscription.id, subscription);
    push(this.#byContent, contentOf(subscription.pattern), subscription);
    const { agentType } = subscription.pattern;
    let holders = this.#holders.get(agentType);
    if (holders === undefined) {
      holders = new Multiset();
      this.#holders.set(agentType, holders);
    }
    holders.add(subscription.holder);
  }

  remove(subscription: HeldSubscription): void {
    this.#all.delete(subscription);
    drop(this.#byId, subscription.id, subscription);
    drop(this.#byContent, contentOf(subscription.pattern), subscription);
    const { agentType } = subscription.pattern;
    const holders = this.#holders.get(agentType);
    holders?.remove(subscription.holder);
    if (holders?.isEmpty) this.#holders.delete(agentType);
  }

  withId(id: string): readonly HeldSubscription[] {
    return (this.#byId.get(id) ?? []).filter(isLive);
  }

  /** The clients that have subscriptions for agents of this type. */
  holdersOf(agentType: string): readonly SubscriptionHolder[] {
    return (
      this.#holders
        .get(agentType)
        ?.items()
        .filter(({ isGone }) => !isGone) ?? []
    );
  }

  all(): readonly HeldSubscription[] {
    return [...this.#all].filter(isLive);
  }

  #equalsOf(clientId: string, id: string, pattern: WirePattern): readonly HeldSubscription[] {
    const ofOneKind = this.withId(id).filter((held) => held.pattern.kind === pattern.kind);
    const ofOneContent = (this.#byContent.get(contentOf(pattern)) ?? []).filter(isLive);
    const equals = [...ofOneKind, ...ofOneContent];
    return this.#comparesClients ? equals : equals.filter(({ holder }) => holder.clientId === clientId);
  }
}

function isLive({ holder }: HeldSubscription): boolean {
  return !holder.isGone;
}

function contentOf(pattern: WirePattern): string {
  const topic = pattern.kind === "type" ? pattern.topicType : pattern.topicTypePrefix;
  return JSON.stringify([pattern.kind, topic, pattern.agentType]);
}

function push(lists: Map<string, HeldSubscription[]>, name: string, subscription: HeldSubscription): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [subscription]);
  else list.push(subscription);
}

function drop(lists: Map<string, HeldSubscription[]>, name: string, subscription: HeldSubscription): void {
  const rest = lists.get(name)?.filter((held) => held !== subscription) ?? [];
  if (rest.length === 0) lists.delete(name);
  else lists.set(name, rest);
}
