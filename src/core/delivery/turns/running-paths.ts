import type { Agent } from "../../agents/agent.ts";
import { ChurnedMap } from "../../collections/churned-map.ts";
import { type CallPath, joinedPath, noPath } from "../../scope/call-path.ts";
import { isThenable } from "../../thenable.ts";
import type { HandlerContext } from "../handler-context.ts";

/**
 * The running handlers for whose calls turns wait. So a call that an agent makes in its own name gets its path, also if the handler does
 * not pass its signal on. Where nothing is sequential there are none.
 */
export class RunningPaths {
  readonly #contexts = new ChurnedMap<Agent, Set<HandlerContext>>();
  /** The tokens of the turns that run. */
  readonly #tokens = new ChurnedMap<string, true>();

  get isEmpty(): boolean {
    return this.#contexts.size === 0;
  }

  /** Returns the path of a call of this agent: that of its running handlers, of all together if there are several. */
  of(agent: Agent): CallPath {
    const contexts = this.#contexts.get(agent);
    if (contexts === undefined) return noPath;
    const paths = [...contexts].map((context) => context.callPath);
    return paths.length === 1 ? (paths[0] ?? noPath) : joinedPath(paths);
  }

  /** Whether a turn that runs here waits for a call with this path. */
  hasTurnOf(path: CallPath): boolean {
    return path.some(({ token }) => this.#tokens.has(token));
  }

  add(agent: Agent, context: HandlerContext): void {
    if (context.turn !== undefined) this.#tokens.set(context.turn.token, true);
    const contexts = this.#contexts.get(agent);
    if (contexts === undefined) this.#contexts.set(agent, new Set([context]));
    else contexts.add(context);
  }

  delete(agent: Agent, context: HandlerContext): void {
    if (context.turn !== undefined) this.#tokens.delete(context.turn.token);
    const contexts = this.#contexts.get(agent);
    if (contexts?.delete(context) === true && contexts.size === 0) this.#contexts.delete(agent);
  }

  /** Runs a handler that has no turn of its own. */
  around(agent: Agent, context: HandlerContext, next: () => unknown): unknown {
    this.add(agent, context);
    let answer: unknown;
    try {
      answer = next();
    } catch (error) {
      this.delete(agent, context);
      throw error;
    }
    if (isThenable(answer)) return this.#settle(agent, context, answer);
    this.delete(agent, context);
    return answer;
  }

  async #settle(agent: Agent, context: HandlerContext, answer: PromiseLike<unknown>): Promise<unknown> {
    try {
      return await answer;
    } finally {
      this.delete(agent, context);
    }
  }
}
