import { AsyncLocalStorage } from "node:async_hooks";
import {
  type AgentFactoryContext,
  type AgentId,
  type AgentRuntime,
  AgentType,
  type AmbientContexts,
  type MessageContext,
  TroupeError,
} from "../core/internal.ts";

/** What is said beside Python's own text when an ambient context is missing. */
const ambientHint = "(The runtime must have been made with `ambient: ambientContexts` of troupe/context.)";

const factories = new AsyncLocalStorage<AgentFactoryContext>();

/** Which agent is being made, and by which runtime: known while a factory runs, after its awaits too (protocol.md §5.4). */
export const AgentInstantiationContext = {
  /** Throws `wrong-state` outside a factory call. */
  currentRuntime(): AgentRuntime {
    return currentFactory("runtime").runtime;
  },

  /** Throws `wrong-state` outside a factory call. */
  currentAgentId(): AgentId {
    return currentFactory("agent_id").id;
  },

  isInFactoryCall(): boolean {
    return factories.getStore() !== undefined;
  },
};

function inFactory<T>(context: AgentFactoryContext, body: () => T): T {
  return factories.run(context, body);
}

function currentFactory(name: string): AgentFactoryContext {
  const context = factories.getStore();
  if (context !== undefined) return context;
  throw new TroupeError(
    "wrong-state",
    `AgentInstantiationContext.${name}() must be called within an instantiation context such as when the AgentRuntime ` +
      "is instantiating an agent. Mostly likely this was caused by directly instantiating an agent instead of using " +
      `the AgentRuntime to do so. ${ambientHint}`,
  );
}

const handlers = new AsyncLocalStorage<{ readonly agentId: AgentId; readonly context: MessageContext }>();

/** Whose handler is running: known in handlers of calls and events, after their awaits too (protocol.md §5.4). */
export const MessageHandlerContext = {
  /** Throws `wrong-state` outside a message handler. */
  agentId(): AgentId {
    const running = handlers.getStore();
    if (running !== undefined) return running.agentId;
    throw new TroupeError(
      "wrong-state",
      `MessageHandlerContext.agent_id() must be called within a message handler. ${ambientHint}`,
    );
  },
};

function inHandler<T>(agentId: AgentId, body: () => T, context: MessageContext): T {
  return handlers.run({ agentId, context }, body);
}

function handlerAgentId(): AgentId | undefined {
  return handlers.getStore()?.agentId;
}

function handlerSignal(): AbortSignal | undefined {
  return handlers.getStore()?.context.signal;
}

const subscriptions = new AsyncLocalStorage<AgentType>();

/** For which agent type subscriptions are being made: known while subscription factories run (protocol.md §5.4). */
export const SubscriptionInstantiationContext = {
  /** Throws `wrong-state` when no subscriptions are being made. */
  agentType(): AgentType {
    const type = subscriptions.getStore();
    if (type !== undefined) return type;
    throw new TroupeError(
      "wrong-state",
      "SubscriptionInstantiationContext.runtime() must be called within an instantiation context such as when the " +
        "AgentRuntime is instantiating an agent. Mostly likely this was caused by directly instantiating an agent " +
        `instead of using the AgentRuntime to do so. ${ambientHint}`,
    );
  },
};

function subscribingAgentType(): string | undefined {
  return subscriptions.getStore()?.type;
}

function inSubscription<T>(agentType: string, body: () => T): T {
  return subscriptions.run(new AgentType(agentType), body);
}

/**
 * Makes AutoGen's contexts ambient: `new SingleThreadedAgentRuntime({ ambient: ambientContexts })`. Calls that a handler
 * makes without a signal then end with the handler's own call, and inherit the time that is left to it.
 */
export const ambientContexts: AmbientContexts = {
  inFactory,
  inHandler,
  handlerAgentId,
  handlerSignal,
  inSubscription,
  subscribingAgentType,
};
