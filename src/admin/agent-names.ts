import { type AgentName, storeLimits } from "../core/internal.ts";
import { HttpProblem, type RequestQuery } from "../http/internal.ts";

/** Parameters that name an agent. */
export const agentParameters = ["type", "key"] as const;

/** Reads the agent that a request names. */
export function agentOf(query: RequestQuery): AgentName {
  return { type: partOf(query, "type"), key: partOf(query, "key") };
}

/** Reads the agent that a request may name; undefined: it names none. */
export function optionalAgentOf(query: RequestQuery): AgentName | undefined {
  return query.text("type") === undefined && query.text("key") === undefined ? undefined : agentOf(query);
}

export function isAgentName(value: unknown): value is AgentName {
  if (typeof value !== "object" || value === null || !("type" in value) || !("key" in value)) return false;
  return typeof value.type === "string" && typeof value.key === "string";
}

function partOf(query: RequestQuery, name: "type" | "key"): string {
  const text = query.required(name);
  const most = storeLimits.nameCharacters;
  if (text.length <= most) return text;
  throw new HttpProblem(400, "invalid-argument", `The ${name} of an agent has at most ${most} characters.`);
}
