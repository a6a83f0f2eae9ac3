import type { Agent } from "../../agents/agent.ts";
import { isThenable } from "../../thenable.ts";
import type { AgentKind } from "./agent-kind.ts";
import type { LiveLimits } from "./live-limits.ts";

/** The uses of agents whose life has limits: an agent in use is not idle. */
export class AgentUses {
  readonly #limits: LiveLimits;
  /** Agents that are to be kept active from their activation on, with the time of their last use that this means. Some are never made. */
  readonly #kept = new WeakMap<Agent, number>();

  constructor(limits: LiveLimits) {
    this.#limits = limits;
  }

  /** Keeps an agent active whose activation has begun, when it is made. */
  keepOnceMade(agent: Agent, usedMs: number): void {
    this.#kept.set(agent, usedMs);
  }

  /** A new agent is in use until the messages that waited for it have reached it. */
  added(kind: AgentKind, key: string, made: Promise<Agent>): void {
    const { tracked } = kind;
    const slot = tracked?.slotOf(key) ?? -1;
    const agent = tracked?.agentAt(slot);
    if (tracked === undefined || agent === undefined) return;
    const keptMs = this.#kept.get(agent);
    if (keptMs !== undefined) {
      this.#kept.delete(agent);
      tracked.keep(slot, keptMs);
    }
    tracked.hold(slot);
    // The reactions of those messages come before this one.
    void made.then(() => {
      if (tracked.agentAt(slot) !== agent) return;
      tracked.release(slot);
      this.#limits.added(kind, slot);
    });
  }

  /** A message has come for an agent whose end was asked of its host: it stays, and counts again. */
  stays(kind: AgentKind, key: string): void {
    const { tracked } = kind;
    const slot = tracked?.slotOf(key) ?? -1;
    if (tracked?.stay(slot) === true) this.#limits.stays(kind);
  }

  /** Runs `use` so that the agent is not deactivated meanwhile for being idle, or for a cap. */
  run(kind: AgentKind, key: string, use: () => unknown): unknown {
    const { tracked } = kind;
    const slot = tracked?.slotOf(key) ?? -1;
    if (tracked === undefined || slot < 0) return use();
    const agent = tracked.agentAt(slot);
    tracked.hold(slot);
    let answer: unknown;
    try {
      answer = use();
    } catch (error) {
      this.#release(kind, key, agent);
      throw error;
    }
    if (isThenable(answer)) return this.#settle(kind, key, { agent, answer });
    this.#release(kind, key, agent);
    return answer;
  }

  async #settle(
    kind: AgentKind,
    key: string,
    { agent, answer }: { readonly agent: Agent | undefined; readonly answer: PromiseLike<unknown> },
  ): Promise<unknown> {
    try {
      return await answer;
    } finally {
      this.#release(kind, key, agent);
    }
  }

  #release(kind: AgentKind, key: string, agent: Agent | undefined): void {
    const { tracked } = kind;
    const slot = tracked?.slotOf(key) ?? -1;
    if (tracked === undefined || slot < 0) return;
    // A message that has waited for its turn may have had it at the next activation, which it did not hold.
    if (tracked.agentAt(slot) !== agent) tracked.touch(slot);
    else if (!tracked.release(slot)) return;
    this.#limits.released(kind, slot);
  }
}
