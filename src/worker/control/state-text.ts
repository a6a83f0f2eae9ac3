import { type AgentId, type AgentState, errorText, TroupeError } from "../../core/internal.ts";

/** Encodes an agent's state as JSON text. Throws `invalid-message` when the state is not a JSON object. */
export function formatState(state: AgentState, id: AgentId): string {
  if (!isState(state)) throw new TroupeError("invalid-message", `The state of ${id} is not a JSON object.`);
  try {
    return JSON.stringify(state);
  } catch (cause) {
    const text = `The state of ${id} can't be written as JSON: ${errorText(cause)}`;
    throw new TroupeError("invalid-message", text, { cause });
  }
}

/** Parses an agent's state. Throws `invalid-message` when the text is not a JSON object. */
export function parseState(text: string, id: AgentId): AgentState {
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (cause) {
    throw new TroupeError("invalid-message", `The state of ${id} is not JSON.`, { cause });
  }
  if (isState(state)) return state;
  throw new TroupeError("invalid-message", `The state of ${id} is not a JSON object.`);
}

function isState(value: unknown): value is AgentState {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
