import { TroupeError } from "../errors.ts";

const position = / in JSON at position (\d+)(?: \(line \d+ column \d+\))?$/;

/**
 * What is wrong with bytes that a codec could not read, without a word of what they hold: the language's own text quotes
 * them, and the fault is written to logs and sent to callers (protocol.md §5.11).
 */
export function jsonFault(thrown: unknown): string {
  if (thrown instanceof TroupeError) return thrown.message;
  if (!(thrown instanceof SyntaxError)) return "its JSON codec refused it";
  const at = position.exec(thrown.message)?.[1];
  if (at !== undefined) return `its text is no JSON from position ${at} on`;
  return thrown.message === "Unexpected end of JSON input" ? "its text ends too early" : "its text is no JSON";
}
