import { isSamePattern, type WirePattern } from "../../protocol/internal.ts";
import { HolderTally, type SubscriptionHolder } from "./holder-tally.ts";

/** A subscription that the host holds for a client. */
export interface HeldSubscription {
  readonly id: string;
  readonly pattern: WirePattern;
  readonly holder: SubscriptionHolder;
}

/**
 * All subscriptions in the order they came, found by id and by content. Two are equal when they are of one kind and have
 * the same id or the same content (protocol.md §5.2); where types are shared, only those of one client are compared.
 * Those whose holder is gone are never found.
 */
export class SubscriptionBook {
  readonly #all = new Set<HeldSubscription>();
  readonly #byId = new Map<string, HeldSubscription[]>();
  readonly #byContent = new Map<string, HeldSubscription[]>();
  readonly #holders = new HolderTally();
  readonly #comparesClients: boolean;

  constructor(options: { readonly comparesClients: boolean }) {
    this.#comparesClients = options.comparesClients;
  }

  /** Those of gone holders included, until they are removed. */
  get size(): number {
    return this.#all.size;
  }

  /** `known`: this client holds just this one already. `exists`: an equal one is held. Neither: it may be added. */
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
    this.#holders.add(subscription.pattern.agentType, subscription.holder);
  }

  remove(subscription: HeldSubscription): void {
    this.#all.delete(subscription);
    drop(this.#byId, subscription.id, subscription);
    drop(this.#byContent, contentOf(subscription.pattern), subscription);
    this.#holders.remove(subscription.pattern.agentType, subscription.holder);
  }

  withId(id: string): readonly HeldSubscription[] {
    return (this.#byId.get(id) ?? []).filter(isLive);
  }

  /** Who has subscriptions for agents of this type. */
  holdersOf(agentType: string): readonly SubscriptionHolder[] {
    return this.#holders.of(agentType).filter(({ isGone }) => !isGone);
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
