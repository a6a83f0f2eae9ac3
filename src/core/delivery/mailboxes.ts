import type { Agent } from "../agents/agent.ts";

/**
 * Lets each agent handle one message at a time, in the order of arrival (option `sequentialAgents`). An agent must give a
 * `timeoutMs` to a call that comes back to it, directly or through other agents. Without it that call never ends.
 */
export class Mailboxes {
  readonly #lastOf = new WeakMap<Agent, Promise<unknown>>();

  /** Runs `body` when all earlier bodies of this agent have settled. Settles as `body` does. */
  inTurn(agent: Agent, body: () => unknown): Promise<unknown> {
    const before = this.#lastOf.get(agent);
    const turn = before === undefined ? runNow(body) : before.then(body);
    const end: Promise<void> = turn.then(
      () => this.#forget(agent, end),
      () => this.#forget(agent, end),
    );
    this.#lastOf.set(agent, end);
    return turn;
  }

  #forget(agent: Agent, end: Promise<unknown>): void {
    if (this.#lastOf.get(agent) === end) this.#lastOf.delete(agent);
  }
}

async function runNow(body: () => unknown): Promise<unknown> {
  return body();
}
