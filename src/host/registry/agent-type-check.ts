import { assertAgentType, errorText, isValidAgentType } from "../../core/internal.ts";

/** Returns the reason why a text can't name an agent type, in Python's words; undefined if it can. */
export function whyInvalidAgentType(agentType: string): string | undefined {
  if (isValidAgentType(agentType)) return undefined;
  try {
    assertAgentType(agentType);
    return undefined;
  } catch (thrown) {
    return errorText(thrown);
  }
}
