/** Agent types and how many subscriptions stand behind each. */
export class TypeTally {
  readonly #counts = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add(agentType: string): void {
    this.#counts.set(agentType, (this.#counts.get(agentType) ?? 0) + 1);
  }

  remove(agentType: string): void {
    const count = this.#counts.get(agentType) ?? 0;
    if (count > 1) this.#counts.set(agentType, count - 1);
    else this.#counts.delete(agentType);
  }

  visit(visit: (agentType: string) => void): void {
    for (const agentType of this.#counts.keys()) visit(agentType);
  }
}
