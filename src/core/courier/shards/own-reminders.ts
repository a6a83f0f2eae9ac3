import { type AgentName, shardOf } from "../../state/agent-name.ts";
import type { DueQuery, StateStore, StoredReminder } from "../../state/state-store.ts";

/** The reminders of a store that this process fires: those of its shards. */
export class OwnReminders {
  readonly #store: Pick<StateStore, "due">;
  readonly #shards: (() => readonly number[]) | undefined;

  /** `shards` undefined: all. */
  constructor(store: Pick<StateStore, "due">, shards: (() => readonly number[]) | undefined) {
    this.#store = store;
    this.#shards = shards;
  }

  /** Whether this process fires the reminders of an agent now. */
  has(agent: AgentName): boolean {
    return this.#shards === undefined || this.#shards().includes(shardOf(agent));
  }

  async due(query: DueQuery): Promise<readonly StoredReminder[]> {
    if (this.#shards === undefined) return await this.#store.due(query);
    const shards = this.#shards();
    return shards.length === 0 ? [] : await this.#store.due({ ...query, shards });
  }
}
