import type { TypeOwners } from "../type-owners.ts";
import { Multimap } from "./multimap.ts";
import type { HeldSubscription } from "./subscription-book.ts";
import { TopicIndex } from "./topic-index.ts";

export interface EventRoutesParts {
  readonly owners: TypeOwners;
  /** Does for a client what may be long. */
  readonly work: (clientId: string, tasks: Iterable<() => void>) => void;
  /** The number of the subscription that came last. */
  readonly lastNumber: () => number;
}

/** A walk over the subscriptions of one agent type. */
interface Walk {
  readonly done: Promise<void>;
  /** The type has got or lost its owners since the walk began: it must start again. */
  isStale: boolean;
}

/**
 * Keeps the patterns of those agent types in the topic index that some client serves, so that an event passes over no others. The
 * patterns of a type enter when it gets its first owner, and leave with the last. They do so in batches, by one walk at most for
 * each type.
 */
export class EventRoutes {
  readonly topics = new TopicIndex();
  readonly #parts: EventRoutesParts;
  readonly #byType = new Multimap<HeldSubscription>();
  readonly #walks = new Map<string, Walk>();

  constructor(parts: EventRoutesParts) {
    this.#parts = parts;
  }

  add(held: HeldSubscription): void {
    this.#byType.add(held.pattern.agentType, held);
    this.#settle(held);
  }

  remove(held: HeldSubscription): void {
    this.#byType.remove(held.pattern.agentType, held);
    if (!held.isRouted) return;
    held.isRouted = false;
    this.topics.remove(held.pattern);
  }

  /** The subscriptions for agents of this type; some may not be live. */
  of(agentType: string): Iterable<HeldSubscription> {
    return this.#byType.of(agentType);
  }

  /** Resolves when events go by all subscriptions that the type had. Undefined: they do so now. */
  settled(agentType: string): Promise<void> | undefined {
    return this.#walks.get(agentType)?.done;
  }

  /** The type has got its first owner, or lost the last. `clientId`: the client through which. */
  ownersChanged(agentType: string, clientId: string): void {
    if (!this.#byType.has(agentType)) return;
    const running = this.#walks.get(agentType);
    if (running !== undefined) {
      running.isStale = true;
      return;
    }
    let finish = (): void => undefined;
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const walk: Walk = { done, isStale: true };
    this.#walks.set(agentType, walk);
    this.#parts.work(clientId, this.#settling(agentType, walk, finish));
  }

  *#settling(agentType: string, walk: Walk, finish: () => void): Iterable<() => void> {
    while (walk.isStale) {
      walk.isStale = false;
      // Later ones have found the right owners when they came.
      const last = this.#parts.lastNumber();
      for (const held of this.#byType.of(agentType)) {
        if (held.number > last) break;
        yield () => this.#settle(held);
        if (walk.isStale) break;
      }
    }
    this.#walks.delete(agentType);
    finish();
  }

  #settle(held: HeldSubscription): void {
    const { pattern } = held;
    const isServed = this.#parts.owners.owners(pattern.agentType).length > 0;
    if (held.isRouted === isServed) return;
    held.isRouted = isServed;
    if (isServed) this.topics.add(pattern);
    else this.topics.remove(pattern);
  }
}
