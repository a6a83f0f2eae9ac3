import { isValidAgentType } from "../../core/internal.ts";
import type { WirePattern } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";

/** Returns the reason why a text can't name an agent type, in the words of Python's host; undefined if it can. */
export function whyInvalidAgentType(agentType: string): string | undefined {
  if (isValidAgentType(agentType)) return undefined;
  return `Invalid agent type: ${agentType}. Allowed values MUST match the regex: \`^[\\w\\-\\.]+\\Z\``;
}

/** Agent types of records that the host keeps for itself begin so: no agent type does. */
export const ownRecordPrefix = "troupe:";

/** Returns the reason why a name is too long for the host to keep; undefined if none is. */
export function whyTooLong(...names: readonly string[]): string | undefined {
  const longest = Math.max(...names.map((name) => name.length));
  if (longest <= limits.nameChars) return undefined;
  return `A name of ${longest} characters is too long: this host keeps up to ${limits.nameChars}.`;
}

/** A text of a refused registration as observers get it: cut to the length of the names that the host keeps. */
export function keptText(text: string): string {
  return text.slice(0, limits.nameChars);
}

/** Returns the topic type, or its prefix, that a pattern names. */
export function topicOf(pattern: WirePattern): string {
  return pattern.kind === "type" ? pattern.topicType : pattern.topicTypePrefix;
}

/** Returns a test whether a name is one of these; a `*` at the end stands for any rest. */
export function namePattern(names: readonly string[]): (name: string) => boolean {
  const exact = new Set(names.filter((name) => !name.endsWith("*")));
  const prefixes = names.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
  return (name) => exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}
