/** Whose a subscription is. */
export interface SubscriptionHolder {
  readonly clientId: string;
  /** The client has left: its subscriptions are still to be swept out, and count for nothing. */
  isGone: boolean;
}

/** Who holds subscriptions for each agent type, counted, so that one that goes costs the same however many there are. */
export class HolderTally {
  readonly #counts = new Map<string, Map<SubscriptionHolder, number>>();

  add(agentType: string, holder: SubscriptionHolder): void {
    const counts = this.#counts.get(agentType);
    if (counts === undefined) this.#counts.set(agentType, new Map([[holder, 1]]));
    else counts.set(holder, (counts.get(holder) ?? 0) + 1);
  }

  remove(agentType: string, holder: SubscriptionHolder): void {
    const counts = this.#counts.get(agentType);
    const count = counts?.get(holder);
    if (counts === undefined || count === undefined) return;
    if (count > 1) counts.set(holder, count - 1);
    else counts.delete(holder);
    if (counts.size === 0) this.#counts.delete(agentType);
  }

  of(agentType: string): readonly SubscriptionHolder[] {
    return [...(this.#counts.get(agentType)?.keys() ?? [])];
  }
}
