import { isValidAgentType } from "../../core/internal.ts";

/** Returns the reason why a text can't name an agent type, in the words of Python's host; undefined if it can. */
export function whyInvalidAgentType(agentType: string): string | undefined {
  if (isValidAgentType(agentType)) return undefined;
  return `Invalid agent type: ${agentType}. Allowed values MUST match the regex: \`^[\\w\\-\\.]+\\Z\``;
}
