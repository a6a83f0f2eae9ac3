import type { HandlerContext } from "../handler-context.ts";
import type { AgentKind } from "./agent-kind.ts";

/** Whether the message has its turn. One that waits at a sequential agent goes to the next activation. */
export function isRunning({ turns }: AgentKind, context: HandlerContext): boolean {
  return !context.hasEnded && (turns === undefined || context.turn !== undefined || context.isInterleaving);
}

/** Resolves when the handlers have ended, or the runtime ends and calls what is in `onClose`. */
export function turnsEnded(contexts: readonly HandlerContext[], onClose: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    let left = contexts.length;
    const end = () => {
      onClose.delete(end);
      for (const context of contexts) context.onEnded = undefined;
      resolve();
    };
    onClose.add(end);
    for (const context of contexts) {
      context.onEnded = () => {
        context.onEnded = undefined;
        left -= 1;
        if (left === 0) end();
      };
    }
  });
}
