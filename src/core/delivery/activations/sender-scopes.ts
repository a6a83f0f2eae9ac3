import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { AmbientContexts } from "../../ambient-contexts.ts";
import { type CallPath, noPath } from "../../scope/call-path.ts";
import { effectsOf, type TurnEffects } from "../../state/effects.ts";
import { callScopeOf, type OwnBounds } from "../calls/call-bounds.ts";
import type { WaitingHandlers } from "../calls/waiting-handlers.ts";
import type { Delivery } from "../layers.ts";
import type { RunningPaths } from "../turns/running-paths.ts";
import type { ActivationStates } from "./activation-ports.ts";
import type { AgentKinds } from "./agent-kinds.ts";

export interface SenderScopesParts {
  readonly kinds: AgentKinds;
  /** The running handlers for whose calls turns wait, and those of counted types. */
  readonly paths: RunningPaths;
  readonly states: ActivationStates | undefined;
  readonly ambient: AmbientContexts | undefined;
  /** Whether the runtime counts the handlers that led to an event or a told message. */
  readonly countsEvents: boolean;
  /** Counts the handlers that wait for a call. Undefined: the runtime does not. */
  readonly waiting: WaitingHandlers | undefined;
}

/** Finds path, depth and effects of what an agent sends in its own name, without the signal or scope of its running handlers. */
export class SenderScopes {
  readonly #parts: SenderScopesParts;
  /** Whether a type is counted: while none is, no call pays for the guard of events. */
  #hasCounted = false;

  constructor(parts: SenderScopesParts) {
    this.#parts = parts;
  }

  /** Returns the path of a call that the agent makes. `mostTurns`: what a path may have. */
  pathOf(sender: AgentId | undefined, mostTurns: number): CallPath {
    const { paths } = this.#parts;
    if (sender === undefined || paths.isEmpty) return noPath;
    const agent = this.#liveAgent(sender);
    return agent === undefined ? noPath : paths.of(agent, mostTurns);
  }

  /**
   * Notes that a call begins. `path`: the turns that wait for it. Call the returned function when it has ended, before the caller hears of
   * that. Undefined: no turn of a persistent agent waits for the call.
   */
  callBegins(own: OwnBounds & { readonly sender?: AgentId | undefined }, path: CallPath): (() => void) | undefined {
    const { paths, kinds, ambient } = this.#parts;
    if (path.length === 0) return undefined;
    const caller = own.sender ?? callScopeOf(own, ambient)?.agentId;
    return caller === undefined || !kinds.keepsState(caller.type) ? undefined : paths.callBegins(caller, path);
  }

  /** Returns the depth of what the agent sends. */
  depthOf(sender: AgentId | undefined): number {
    const { paths } = this.#parts;
    if (sender === undefined || paths.isEmpty) return 0;
    const agent = this.#liveAgent(sender);
    return agent === undefined ? 0 : paths.depthOf(agent);
  }

  /** Returns the effects of the turn of a persistent agent that runs. Undefined: what the sender publishes leaves at once. */
  effectsOf(sender: AgentId | undefined): TurnEffects | undefined {
    const { kinds, states } = this.#parts;
    if (sender === undefined || !kinds.keepsState(sender.type)) return undefined;
    const agent = this.#liveAgent(sender) ?? states?.activating?.(sender);
    return agent === undefined ? undefined : effectsOf(agent);
  }

  /**
   * Lists a handler that is about to run, if its agent's type is counted: it takes events, told messages, or calls to which these led. All
   * handlers of such a type are listed, since each of them may send what the agent sends. Turns list themselves.
   */
  listHandler(agent: Agent, { agentId, context }: Delivery): void {
    this.#parts.waiting?.begins(agent, context);
    if (context.depth === 0 && !this.#hasCounted) return;
    const { kinds, paths, countsEvents } = this.#parts;
    const kind = countsEvents ? kinds.get(agentId.type) : undefined;
    if (kind === undefined) return;
    if (context.depth > 0) {
      this.#hasCounted = true;
      kind.isCounted = true;
    }
    if (kind.isCounted && kind.turns === undefined) paths.list(agent, context);
  }

  #liveAgent({ type, key }: AgentId): Agent | undefined {
    return this.#parts.kinds.get(type)?.live.get(key);
  }
}
