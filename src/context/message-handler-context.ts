import { AsyncLocalStorage } from "node:async_hooks";
import { type AgentId, TroupeError } from "../core/index.ts";
import { ambientHint } from "./ambient-hint.ts";

const storage = new AsyncLocalStorage<AgentId>();

/** Whose handler is running: known in handlers of calls and events, after their awaits too (protocol.md §5.4). */
export const MessageHandlerContext = {
  /** Throws `wrong-state` outside a message handler. */
  agentId(): AgentId {
    const id = storage.getStore();
    if (id !== undefined) return id;
    throw new TroupeError(
      "wrong-state",
      `MessageHandlerContext.agent_id() must be called within a message handler. ${ambientHint}`,
    );
  },
};

export function inHandler<T>(agentId: AgentId, body: () => T): T {
  return storage.run(agentId, body);
}
