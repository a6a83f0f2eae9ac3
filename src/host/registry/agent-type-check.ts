import { assertAgentType, errorText, isValidAgentType } from "../../core/internal.ts";

/** Why a text can't name an agent type, in Python's words; undefined: it can. */
export function whyInvalidAgentType(agentType: string): string | undefined {
  if (isValidAgentType(agentType)) return undefined;
  try {
    assertAgentType(agentType);
    return undefined;
  } catch (thrown) {
    return errorText(thrown);
  }
}
