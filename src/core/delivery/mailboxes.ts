import type { Agent } from "../agents/agent.ts";

/**
 * Lets each agent handle one message at a time, in the order of arrival (option `sequentialAgents`). An agent that
 * awaits a call to itself, directly or around a ring of agents, waits for ever: give such calls a `timeoutMs`.
 */
export class Mailboxes {
  readonly #lastOf = new WeakMap<Agent, Promise<unknown>>();

  /** Runs `body` when all earlier ones for this agent have settled; settles as it does. */
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
