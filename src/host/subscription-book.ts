import { isSamePattern, type WirePattern } from "../protocol/index.ts";

/** A subscription that the host holds for a client. */
export interface HeldSubscription {
  readonly id: string;
  readonly pattern: WirePattern;
  readonly clientId: string;
}

/**
 * All subscriptions in the order they came, found by id and by content. Two are equal when they are of one kind and have
 * the same id or the same content (protocol.md §5.2); where types are shared, only those of one client are compared.
 */
export class SubscriptionBook {
  readonly #all = new Set<HeldSubscription>();
  readonly #byId = new Map<string, HeldSubscription[]>();
  readonly #byContent = new Map<string, HeldSubscription[]>();
  readonly #comparesClients: boolean;

  constructor(options: { readonly comparesClients: boolean }) {
    this.#comparesClients = options.comparesClients;
  }

  get size(): number {
    return this.#all.size;
  }

  /** `known`: this client holds just this one already. `exists`: an equal one is held. Only `added` changed anything. */
  add(subscription: HeldSubscription): "added" | "known" | "exists" {
    const equals = this.#equalsOf(subscription);
    if (equals.some((held) => isReplay(held, subscription))) return "known";
    if (equals.length > 0) return "exists";
    this.#all.add(subscription);
    push(this.#byId, subscription.id, subscription);
    push(this.#byContent, contentOf(subscription.pattern), subscription);
    return "added";
  }

  remove(subscription: HeldSubscription): void {
    this.#all.delete(subscription);
    drop(this.#byId, subscription.id, subscription);
    drop(this.#byContent, contentOf(subscription.pattern), subscription);
  }

  withId(id: string): readonly HeldSubscription[] {
    return this.#byId.get(id) ?? [];
  }

  all(): Iterable<HeldSubscription> {
    return this.#all;
  }

  #equalsOf(subscription: HeldSubscription): readonly HeldSubscription[] {
    const ofOneKind = this.withId(subscription.id).filter((held) => held.pattern.kind === subscription.pattern.kind);
    const ofOneContent = this.#byContent.get(contentOf(subscription.pattern)) ?? [];
    const equals = [...ofOneKind, ...ofOneContent];
    return this.#comparesClients ? equals : equals.filter((held) => held.clientId === subscription.clientId);
  }
}

function isReplay(held: HeldSubscription, again: HeldSubscription): boolean {
  return held.id === again.id && held.clientId === again.clientId && isSamePattern(held.pattern, again.pattern);
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
