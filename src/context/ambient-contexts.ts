import { AsyncLocalStorage } from "node:async_hooks";
import {
  type AgentFactoryContext,
  type AgentId,
  type AgentRuntime,
  AgentType,
  type AmbientContexts,
  type MessageContext,
  sharedByCopies,
  TroupeError,
} from "../core/internal.ts";

/** Added to Python's own text when an ambient context is missing. */
const ambientHint = "(The runtime must have been made with `ambient: ambientContexts` of troupe/context.)";

const factories = sharedByCopies("factories", () => new AsyncLocalStorage<AgentFactoryContext>());

// protocol.md §5.4
/**
 * The agent that a factory is creating, and its runtime. Available while the factory runs, after its awaits too.
 * Needs a runtime with the option `ambient: ambientContexts`.
 */
export const AgentInstantiationContext = {
  /** The runtime that creates the agent. Throws `wrong-state` outside a factory call. */
  currentRuntime(): AgentRuntime {
    return currentFactory("runtime").runtime;
  },

  /** The id of the agent that is created. Throws `wrong-state` outside a factory call. */
  currentAgentId(): AgentId {
    return currentFactory("agent_id").id;
  },

  isInFactoryCall(): boolean {
    return factories.getStore() !== undefined;
  },
};

function inFactory<T>(context: AgentFactoryContext, body: () => T): T {
  // It may run for the message of a handler, in that handler's async context. A factory is not a handler.
  return factories.run(context, () => without(handlers, body));
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

interface RunningHandler {
  readonly agentId: AgentId;
  readonly context: MessageContext;
}

const handlers = sharedByCopies("handlers", () => new AsyncLocalStorage<RunningHandler>());

// protocol.md §5.4
/**
 * The agent whose handler is running. Available in handlers of calls and events, after their awaits too.
 * Needs a runtime with the option `ambient: ambientContexts`.
 */
export const MessageHandlerContext = {
  /** The id of the agent. Throws `wrong-state` outside a message handler. */
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
  // The message may come from a factory, and the handler then has its async context.
  return handlers.run({ agentId, context }, () => without(factories, body));
}

/** Runs `body` outside a context. */
function without<T>(storage: AsyncLocalStorage<unknown>, body: () => T): T {
  return storage.getStore() === undefined ? body() : storage.run(undefined, body);
}

function handlerAgentId(): AgentId | undefined {
  return handlers.getStore()?.agentId;
}

function handlerSignal(): AbortSignal | undefined {
  return handlers.getStore()?.context.signal;
}

const subscriptions = sharedByCopies("subscribing", () => new AsyncLocalStorage<AgentType>());

// protocol.md §5.4
/**
 * The agent type that subscriptions are created for. Available while a subscription factory runs.
 * Needs a runtime with the option `ambient: ambientContexts`.
 */
export const SubscriptionInstantiationContext = {
  /** The agent type. Throws `wrong-state` outside a subscription factory. */
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
 * Makes AutoGen's contexts ambient, on AsyncLocalStorage. Calls that a handler makes without a signal then end with the
 * call that it handles, and inherit its remaining time.
 *
 * @example
 * ```ts
 * const runtime = new SingleThreadedAgentRuntime({ ambient: ambientContexts });
 * ```
 */
export const ambientContexts: AmbientContexts = {
  inFactory,
  inHandler,
  handlerAgentId,
  handlerSignal,
  inSubscription,
  subscribingAgentType,
};
