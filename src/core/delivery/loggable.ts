import { errorText, TroupeError } from "../errors.ts";
import type { LogFields } from "../logger.ts";

const longestText = 1_000;
/** The longest id, type or other value, in characters, and elements of a list. */
const longestValue = 200;
const mostListed = 20;
const longestStack = 16 * 1024;
/** The number of causes in a chain that a log record shows at most. */
const mostCauses = 8;

/** Control characters, separators of lines, and characters without a shape. They could forge or hide a line of a log. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/** Makes a text from outside safe for a log: one line, without control characters, cut at 1,000 characters. */
export function loggableText(text: string): string {
  return loggableUpTo(longestText, text);
}

/** As `loggableText`, with another bound in characters. */
export function loggableUpTo(mostChars: number, text: string): string {
  return escaped(cut(text, mostChars));
}

/** Makes the fields of a log line safe: texts are cut at 200 characters, that of an error at 1,000. */
export function loggableFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, loggableValue(name, value)]));
}

function loggableValue(name: string, value: unknown): unknown {
  if (name === "error") return loggableError(value);
  if (typeof value === "string") return loggableUpTo(longestValue, value);
  if (!Array.isArray(value)) return value instanceof Error ? loggableError(value) : value;
  const shown: unknown[] = value.slice(0, mostListed).map((one) => loggableValue("", one));
  return value.length > mostListed ? [...shown, `… ${value.length - mostListed} more`] : shown;
}

/**
 * Makes an error safe for a log. It returns the error itself, or a copy of its chain of causes. The copy leaves out the cause of
 * an error about a message's content, because it quotes the content. It also has no control characters and no long texts.
 */
export function loggableError(thrown: unknown): unknown {
  try {
    return isLoggable(thrown, 0) ? thrown : copyOf(thrown, 0);
  } catch {
    // An object whose own code throws. Its text is all that there is.
    return new Error(loggableText(errorText(thrown)));
  }
}

/** Returns the stacks of an error and of its causes, for loggers that write one text. */
export function stackText(error: Error): string {
  const stacks: string[] = [];
  let next: unknown = error;
  for (let depth = 0; next instanceof Error && depth < mostCauses; depth += 1) {
    stacks.push(next.stack ?? `${next.name}: ${next.message}`);
    next = next.cause;
  }
  return stacks.join("\nCaused by: ");
}

function isLoggable(thrown: unknown, depth: number): boolean {
  if (!(thrown instanceof Error)) return typeof thrown !== "string" || loggableText(thrown) === thrown;
  const { message, stack = "", cause } = thrown;
  if (depth === mostCauses || quotesContent(thrown) || stack.length > longestStack) return false;
  if (loggableText(message) !== message || loggableText(thrown.name) !== thrown.name || !isStack(stack)) return false;
  if ("remoteStack" in thrown && !isStack(String(thrown.remoteStack))) return false;
  const others = thrown instanceof AggregateError ? thrown.errors : [];
  return [...others, cause].every((one) => isLoggable(one, depth + 1));
}

function quotesContent(error: Error): boolean {
  return error instanceof TroupeError && error.code === "invalid-message" && error.cause !== undefined;
}

function copyOf(thrown: unknown, depth: number): unknown {
  if (typeof thrown === "string") return loggableText(thrown);
  if (!(thrown instanceof Error)) return thrown;
  const isLast = depth === mostCauses || quotesContent(thrown) || thrown.cause === undefined;
  const options = isLast ? undefined : { cause: copyOf(thrown.cause, depth + 1) };
  const copy = new Error(loggableText(thrown.message), options);
  const others =
    thrown instanceof AggregateError && depth < mostCauses ? thrown.errors.slice(0, mostCauses) : undefined;
  const fields: { readonly [name: string]: unknown } = {
    name: loggableText(thrown.name),
    stack: stackOf(thrown, copy.message),
    code: "code" in thrown && typeof thrown.code === "string" ? loggableText(thrown.code) : undefined,
    errors: others?.map((one) => copyOf(one, depth + 1)),
  };
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    Object.defineProperty(copy, name, { value, configurable: true, writable: true });
  }
  return copy;
}

/** Whether a stack is what it seems: a head of one line, then indented lines, all without control characters. */
function isStack(stack: string): boolean {
  const lines = stack.split("\n");
  return lines.every((line, at) => escaped(line) === line && (at === 0 || line === "" || /^\s/.test(line)));
}

/** Makes the text at the head of a stack safe for a log. The lines below it stay, and are indented. */
function stackOf(thrown: Error, message: string): string {
  const { stack = "" } = thrown;
  const at = stack.indexOf(thrown.message);
  const frames = at < 0 || thrown.message === "" ? "" : stack.slice(at + thrown.message.length);
  const lines = cut(frames, longestStack).split("\n").map(indented).join("\n");
  return `${loggableText(thrown.name)}: ${message}${lines}`;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`;
}

function indented(line: string, at: number): string {
  return at === 0 || line === "" || /^\s/.test(line) ? escaped(line) : `    ${escaped(line)}`;
}

function escaped(text: string): string {
  return text.replace(unprintable, (character) => {
    if (character === "\n") return "\\n";
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
}
