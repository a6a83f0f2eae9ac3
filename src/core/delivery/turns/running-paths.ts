import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import { ChurnedMap } from "../../collections/churned-map.ts";
import { type CallPath, joinedPath, nameInPath, noPath } from "../../scope/call-path.ts";
import { slotOf } from "../../state/state-slot.ts";
import { isThenable } from "../../thenable.ts";
import type { HandlerContext } from "../handler-context.ts";

/**
 * The running handlers whose calls turns wait for, and those of agents that take events or told messages. So what an agent sends in its own
 * name gets its path and its depth, also if the handler does not pass its signal on.
 */
export class RunningPaths {
  /** The handlers of an agent; most have one. */
  readonly #contexts = new ChurnedMap<Agent, HandlerContext | Set<HandlerContext>>();
  /** The agents of the turns that run, by the turn's token. */
  readonly #tokens = new ChurnedMap<string, Agent>();

  get isEmpty(): boolean {
    return this.#contexts.size === 0;
  }

  /**
   * Returns the path of a call of this agent: that of its running handlers, of all together if there are several. `mostTurns`: what a path may
   * have.
   */
  of(agent: Agent, mostTurns: number): CallPath {
    const contexts = this.#contexts.get(agent);
    if (contexts === undefined) return noPath;
    if (!(contexts instanceof Set)) return contexts.callPath;
    return joinedPath(pathsOf(contexts), mostTurns);
  }

  /**
   * Returns the depth of what this agent sends: the smallest of its running handlers, since any of them may send it. The largest one would
   * spread from one chain to another, until messages were dropped that are part of no loop.
   */
  depthOf(agent: Agent): number {
    const contexts = this.#contexts.get(agent);
    if (contexts === undefined) return 0;
    if (!(contexts instanceof Set)) return contexts.sentDepth;
    let least = Number.POSITIVE_INFINITY;
    for (const { sentDepth } of contexts) least = Math.min(least, sentDepth);
    return least;
  }

  /** Whether a turn that runs here waits for a call with this path. */
  hasTurnOf(path: CallPath): boolean {
    return this.#tokens.size > 0 && path.some(({ token }) => this.#tokens.has(token));
  }

  /**
   * Notes that a handler of the agent makes a call with this path. Call the returned function before the handler hears of the call's outcome:
   * the handler continues then. Undefined: it has no turn of a persistent agent.
   */
  callBegins(caller: AgentId, path: CallPath): (() => void) | undefined {
    if (this.#tokens.size === 0) return undefined;
    const [type, key] = [nameInPath(caller.type), nameInPath(caller.key)];
    for (const turn of [...path].reverse()) {
      if (turn.type !== type || turn.key !== key) continue;
      const agent = this.#tokens.get(turn.token);
      const slot = agent === undefined ? undefined : slotOf(agent);
      if (slot !== undefined) return slot.callBegins(turn.token);
    }
    return undefined;
  }

  add(agent: Agent, context: HandlerContext): void {
    if (context.turn !== undefined) this.#tokens.set(context.turn.token, agent);
    const contexts = this.#contexts.get(agent);
    if (contexts === undefined) this.#contexts.set(agent, context);
    else if (contexts instanceof Set) contexts.add(context);
    else if (contexts !== context) this.#contexts.set(agent, new Set([contexts, context]));
  }

  delete(agent: Agent, context: HandlerContext): void {
    if (context.turn !== undefined) this.#tokens.delete(context.turn.token);
    const contexts = this.#contexts.get(agent);
    if (contexts === context) this.#contexts.delete(agent);
    else if (contexts instanceof Set && contexts.delete(context) && contexts.size === 0) this.#contexts.delete(agent);
  }

  /** Adds a handler that has no turn of its own, until its context is released. */
  list(agent: Agent, context: HandlerContext): void {
    // The message may have been at an activation that has ended.
    context.unlist?.();
    this.add(agent, context);
    context.unlist = () => {
      context.unlist = undefined;
      this.delete(agent, context);
    };
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

/** Returns the paths of handlers, the newest first: of a loop it is the longest. */
function* pathsOf(contexts: ReadonlySet<HandlerContext>): Iterable<CallPath> {
  for (const { callPath } of [...contexts].reverse()) yield callPath;
}
