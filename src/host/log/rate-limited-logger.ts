import { type Clock, errorText, LimitedLog, type LogFields, type Logger } from "../../core/internal.ts";

/** The longest value that a log line holds, in characters. */
const maxValueChars = 200;
/** The longest text of an error: its end says what to do. */
const maxErrorChars = 1_000;
/** Elements of a list that a log line holds. */
const maxListed = 20;

/** Control characters, line and paragraph separators, and marks that change the direction of text. */
const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu;

/** Makes a text from outside safe for one line of a log: cut, unprintable characters as `\\u001b`. */
function logText(text: string, maxChars = maxValueChars): string {
  const isLong = text.length > maxChars;
  const kept = isLong ? text.slice(0, maxChars) : text;
  const escaped = kept.replace(
    unprintable,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
  return isLong ? `${escaped}…` : escaped;
}

/** The fields of a log line with every text in them made safe. */
function logFields(fields: LogFields): LogFields {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, logValue(value)]));
}

function logValue(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "string") return logText(value);
  if (value instanceof Error) return logText(errorText(value), maxErrorChars);
  if (!Array.isArray(value)) return logText(errorText(value));
  const shown = value.slice(0, maxListed).map((one) => logText(String(one)));
  return value.length > maxListed ? [...shown, `… ${value.length - maxListed} more`] : shown;
}

/** The log of a host. The host's own texts are few and constant; values stand in fields, which it makes safe to print. */
export class RateLimitedLogger extends LimitedLog {
  constructor(logger: Logger, clock: Clock) {
    super(logger, clock, { text: (text) => text, fields: logFields });
  }
}
