import { errorText, TroupeError } from "../errors.ts";

const longestText = 1_000;
const longestStack = 16 * 1024;
/** The number of causes in a chain that a log record shows at most. */
const mostCauses = 8;

/** Control characters, and characters that change the direction of a text. They could forge a line of a log. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Makes a text from outside safe for a log: one line, without control characters, cut at 1,000 characters. */
export function loggableText(text: string): string {
  return escaped(cut(text, longestText));
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
  if (loggableText(message) !== message) return false;
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

/** Makes the text at the head of a stack safe for a log. The lines below it stay. */
function stackOf(thrown: Error, message: string): string {
  const { stack = "" } = thrown;
  const at = stack.indexOf(thrown.message);
  const frames = at < 0 || thrown.message === "" ? "" : stack.slice(at + thrown.message.length);
  const lines = cut(frames, longestStack).split("\n").map(escaped).join("\n");
  return `${loggableText(thrown.name)}: ${message}${lines}`;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`;
}

function escaped(text: string): string {
  return text.replace(unprintable, (character) => {
    if (character === "\n") return "\\n";
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
