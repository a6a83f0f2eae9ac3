import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { AmbientContexts } from "../../ambient-contexts.ts";
import { ChurnedMap } from "../../collections/churned-map.ts";
import { TroupeError } from "../../errors.ts";
import { nameInPath } from "../../scope/call-path.ts";
import { type CountedCall, HandlerScope, type ScopeHandler } from "../../scope/handler-scope.ts";
import type { HandlerContext } from "../handler-context.ts";
import { AgentHandlers } from "./agent-handlers.ts";
import { callScopeOf, type OwnBounds } from "./call-bounds.ts";

export interface WaitingHandlersParts {
  /** Handlers that may wait for a call, one for the other. `Infinity`: none are counted. */
  readonly maxHandlers: number;
  readonly ambient: AmbientContexts | undefined;
  /** Returns how many messages the runtime handles. */
  readonly runningCount: () => number;
  /** Returns the agent if it is live. */
  readonly agentOf: (id: AgentId) => Agent | undefined;
}

/** Handlers that run in a runtime which does not count. */
const mostUncounted = 100;

// protocol.md §11.13
/**
 * Ends agents that interleave and call each other without end: no path names their handlers. A long chain of calls needs many running handlers. So
 * a runtime counts only while many run, or while one runs whose caller has counted.
 */
export class WaitingHandlers {
  readonly #parts: WaitingHandlersParts;
  readonly #startsAt: number;
  /** The agents with counted handlers. */
  readonly #agents = new ChurnedMap<Agent, AgentHandlers>();

  constructor(parts: WaitingHandlersParts) {
    const { maxHandlers } = parts;
    this.#parts = parts;
    this.#startsAt = Number.isFinite(maxHandlers) ? Math.min(maxHandlers, mostUncounted) : maxHandlers;
  }

  /** Called before a handler begins. A message may come to a second activation of its agent. */
  begins(agent: Agent, context: HandlerContext): void {
    if (context.above === 0 && this.#parts.runningCount() <= this.#startsAt) return;
    if (!Number.isFinite(this.#startsAt)) return;
    context.counted?.end(context);
    let handlers = this.#agents.get(agent);
    if (handlers === undefined) {
      handlers = new AgentHandlers(() => this.#agents.delete(agent));
      this.#agents.set(agent, handlers);
    }
    context.counted = handlers;
    handlers.begin(context);
  }

  /**
   * Called before a call is sent. Throws `loop-detected` if too many handlers wait for it, one for the other. Undefined: no counted handler waits
   * for it.
   */
  callBegins(own: OwnBounds & { readonly sender?: AgentId | undefined }, recipient: AgentId): CountedCall | undefined {
    const { ambient, runningCount, agentOf, maxHandlers } = this.#parts;
    if (this.#agents.size === 0 && runningCount() <= this.#startsAt) return undefined;
    const scope = callScopeOf(own, ambient);
    if (scope !== undefined) return this.#callOf(HandlerScope.handlerOf(scope), recipient);
    const agent = own.sender === undefined ? undefined : agentOf(own.sender);
    const handlers = agent === undefined ? undefined : this.#agents.get(agent);
    if (handlers === undefined) return undefined;
    const call = handlers.ownCall();
    if (call.waiting <= maxHandlers) return call;
    call.end();
    throw loopDetected(maxHandlers, [handlers.newestSender, own.sender, recipient]);
  }

  #callOf(handler: ScopeHandler | undefined, recipient: AgentId): CountedCall | undefined {
    if (handler === undefined || handler.hasEnded) return undefined;
    const { maxHandlers } = this.#parts;
    const { sender, agentId, counted } = handler;
    // No handler waits for the handler of a call that was given up.
    const above = handler.isAwaited ? handler.above : 0;
    if (above >= maxHandlers) throw loopDetected(maxHandlers, [sender, agentId, recipient]);
    return counted?.callOf(handler, above) ?? { waiting: above + 1, end: noEnd };
  }
}

const noEnd = () => undefined;

function loopDetected(maxHandlers: number, chain: readonly (AgentId | undefined)[]): TroupeError {
  const names = chain.flatMap((id) => (id === undefined ? [] : `${nameInPath(id.type)}/${nameInPath(id.key)}`));
  const what = `More than ${maxHandlers} handlers wait for the call to ${names.at(-1)}, one for the other: … → ${names.join(" → ")}.`;
  const advice =
    "Do these agents call each other without end? If not, raise the bound (the runtime's option guards.calls.maxHandlers).";
  return new TroupeError("loop-detected", `${what} It was not sent. ${advice}`);
}
