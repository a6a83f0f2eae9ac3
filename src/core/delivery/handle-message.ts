import type { Agent } from "../agents/agent.ts";
import type { MessageContext } from "../agents/message-context.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import type { Mailboxes } from "./mailboxes.ts";

export interface HandleMessageOptions {
  /** Sets the ambient handler context around the handler. */
  readonly ambient?: AmbientContexts | undefined;
  /** One message at a time for each agent; without it handlers of one agent interleave at their awaits. */
  readonly mailboxes?: Mailboxes | undefined;
}

/**
 * Gives one message to one agent: the only place where any runtime does. Returns what the handler returns, a promise
 * or a plain value, and throws what it throws.
 */
export function handleMessage(
  agent: Agent,
  message: unknown,
  context: MessageContext,
  options: HandleMessageOptions,
): unknown {
  const { ambient, mailboxes } = options;
  if (ambient === undefined && mailboxes === undefined) return agent.onMessage(message, context);
  const handle = () =>
    ambient === undefined
      ? agent.onMessage(message, context)
      : ambient.inHandler(agent.id, () => agent.onMessage(message, context), context);
  return mailboxes === undefined ? handle() : mailboxes.inTurn(agent, handle);
}
