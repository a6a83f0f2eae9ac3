import { type AgentId, type AgentState, errorText, TroupeError } from "../core/index.ts";

/** Reads an agent's state as it travels: the JSON text of an object. Throws `invalid-message` otherwise. */
export function parseState(text: string, id: AgentId): AgentState {
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (cause) {
    throw new TroupeError("invalid-message", `The state of ${id} is not JSON: ${errorText(cause)}`, { cause });
  }
  if (isState(state)) return state;
  throw new TroupeError("invalid-message", `The state of ${id} is not a JSON object.`);
}

function isState(value: unknown): value is AgentState {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
