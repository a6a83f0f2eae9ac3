import { AsyncLocalStorage } from "node:async_hooks";
import { type AgentId, type MessageContext, TroupeError } from "../core/internal.ts";
import { ambientHint } from "./ambient-hint.ts";

const storage = new AsyncLocalStorage<{ readonly agentId: AgentId; readonly context: MessageContext }>();

/** Whose handler is running: known in handlers of calls and events, after their awaits too (protocol.md §5.4). */
export const MessageHandlerContext = {
  /** Throws `wrong-state` outside a message handler. */
  agentId(): AgentId {
    const running = storage.getStore();
    if (running !== undefined) return running.agentId;
    throw new TroupeError(
      "wrong-state",
      `MessageHandlerContext.agent_id() must be called within a message handler. ${ambientHint}`,
    );
  },
};

export function inHandler<T>(agentId: AgentId, body: () => T, context: MessageContext): T {
  return storage.run({ agentId, context }, body);
}

export function handlerAgentId(): AgentId | undefined {
  return storage.getStore()?.agentId;
}

export function handlerSignal(): AbortSignal | undefined {
  return storage.getStore()?.context.signal;
}
