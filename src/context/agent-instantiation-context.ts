import { AsyncLocalStorage } from "node:async_hooks";
import { type AgentFactoryContext, type AgentId, type AgentRuntime, TroupeError } from "../core/internal.ts";
import { ambientHint } from "./ambient-hint.ts";

const storage = new AsyncLocalStorage<AgentFactoryContext>();

/** Which agent is being made, and by which runtime: known while a factory runs, after its awaits too (protocol.md §5.4). */
export const AgentInstantiationContext = {
  /** Throws `wrong-state` outside a factory call. */
  currentRuntime(): AgentRuntime {
    return current("runtime").runtime;
  },

  /** Throws `wrong-state` outside a factory call. */
  currentAgentId(): AgentId {
    return current("agent_id").id;
  },

  isInFactoryCall(): boolean {
    return storage.getStore() !== undefined;
  },
};

export function inFactory<T>(context: AgentFactoryContext, body: () => T): T {
  return storage.run(context, body);
}

function current(name: string): AgentFactoryContext {
  const context = storage.getStore();
  if (context !== undefined) return context;
  throw new TroupeError(
    "wrong-state",
    `AgentInstantiationContext.${name}() must be called within an instantiation context such as when the AgentRuntime ` +
      "is instantiating an agent. Mostly likely this was caused by directly instantiating an agent instead of using " +
      `the AgentRuntime to do so. ${ambientHint}`,
  );
}
