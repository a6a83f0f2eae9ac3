import type { AgentId } from "../agents/agent-id.ts";
import type { MessageContext } from "../agents/message-context.ts";
import type { AgentCatalog } from "../delivery/activations/agent-catalog.ts";

// protocol.md §5.10
/** The attributes of a `process` or `ack` span. */
export interface SpanSubject {
  readonly sender: AgentId | undefined;
  readonly recipient: AgentId | undefined;
  readonly message: unknown;
  /** `process` only. */
  readonly context?: MessageContext;
}

/** Returns the attributes, with Python's keys and text forms. It names the class of a live agent only, and makes no agent. */
export function spanAttributes(
  subject: SpanSubject,
  catalog: AgentCatalog,
  payloadText: (message: unknown) => string,
): Record<string, string> {
  const { sender, recipient, context, message } = subject;
  const attributes: Record<string, string> = {};
  if (sender !== undefined) addAgent(attributes, "sender", sender, catalog);
  if (recipient !== undefined) addAgent(attributes, "recipient", recipient, catalog);
  if (context !== undefined) attributes.message_context = contextText(context);
  attributes.message = message === undefined || message === null ? "No Message" : payloadText(message);
  return attributes;
}

function addAgent(
  attributes: Record<string, string>,
  role: "sender" | "recipient",
  id: AgentId,
  catalog: AgentCatalog,
): void {
  attributes[`${role}_agent_type`] = id.type;
  const agent = catalog.peek(id);
  if (agent !== undefined) attributes[`${role}_agent_class`] = agent.constructor.name;
}

/** Formats JSON as Python's `json.dumps` does: a space after each colon and comma, `"None"` for missing values. */
function contextText(context: MessageContext): string {
  const sender = JSON.stringify(context.sender?.toString() ?? "None");
  const topic = JSON.stringify(context.topicId?.toString() ?? "None");
  const messageId = JSON.stringify(context.messageId);
  return `{"sender": ${sender}, "topic_id": ${topic}, "is_rpc": ${context.isRpc}, "message_id": ${messageId}}`;
}
