import type { AgentId } from "../agents/agent-id.ts";
import type { CallPath } from "./call-path.ts";
import type { CallScope } from "./call-scope.ts";

/** The handler of a scope, as the runtime knows it. */
export interface ScopeHandler {
  readonly agentId: AgentId | undefined;
  readonly sender: AgentId | undefined;
  /** Handlers that wait for the call which this one handles, one for the other, as far as they are counted. */
  readonly above: number;
  readonly hasEnded: boolean;
  readonly isAwaited: boolean;
  /** The turns that wait for a call that it makes now. */
  readonly callPath: CallPath;
  /** The handlers that led to what it sends now. */
  readonly sentDepth: number;
  /** The counted handlers of its agent, among which it is. */
  readonly counted: CountingAgent | undefined;
}

/** A call for which the handlers that wait are counted. */
export interface CountedCall {
  /** The handlers that wait for it, one for the other. */
  readonly waiting: number;
  /** Call it when the call has ended, before its caller hears of that. */
  end(): void;
}

/** An agent whose running handlers are counted. */
export interface CountingAgent {
  /** Notes that a handler makes a call. `above`: the handlers that wait for the handler. */
  callOf(handler: ScopeHandler, above: number): CountedCall;
  /** The handler has ended. */
  end(handler: ScopeHandler): void;
}

// An object literal with getters costs ten times as much: V8 gives each such object a hidden class of its own, in the old space.
/** The scope of a handler. The runtime finds the handler in it, and a scope that is printed or compared does not show the handler. */
export class HandlerScope implements CallScope {
  readonly agentId: CallScope["agentId"];
  readonly runtime: CallScope["runtime"];
  readonly deadline: CallScope["deadline"];
  readonly #handler: ScopeHandler;

  constructor(
    handler: ScopeHandler,
    { agentId, runtime, deadline }: Pick<CallScope, "agentId" | "runtime" | "deadline">,
  ) {
    this.agentId = agentId;
    this.runtime = runtime;
    this.deadline = deadline;
    this.#handler = handler;
    Object.freeze(this);
  }

  /** Returns the handler of a scope. Undefined: your own code made the scope. */
  static handlerOf(scope: CallScope): ScopeHandler | undefined {
    return #handler in scope ? scope.#handler : undefined;
  }

  // The scope may be made before the turn begins.
  get path(): CallPath {
    return this.#handler.callPath;
  }

  get depth(): number {
    return this.#handler.sentDepth;
  }
}
