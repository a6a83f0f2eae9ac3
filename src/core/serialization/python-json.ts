import { randomId } from "../clock.ts";
import { type JsonCodec, nativeJson } from "./json-codec.ts";
import { foreignKind, isDate, isShownByFields, writesItself } from "./json-loss.ts";

/** A literal outside of strings that JSON lacks or that a number would change. */
const specials = /(?<![\d.eE+-])(?:NaN|-?Infinity|-?\d{16,})(?=\s*(?:[,\]}]|$))/g;
/** Digits of the longest integer that is read, as in Python. Reading a longer one takes more than linear time. */
const mostDigits = 4_300;

/**
 * JSON with the values that Python's `json` module adds. `NaN`, `Infinity` and `-Infinity` are numbers; integers beyond
 * 2^53 are exact, as `bigint`. Otherwise it is JavaScript's JSON: a float without a fraction is written as an integer.
 * It is slower than the default.
 *
 * @example
 * ```ts
 * const Reading = defineMessage("Reading", schema, { json: pythonJson });
 * ```
 */
export const pythonJson: JsonCodec = {
  parse(text) {
    const mark = `${randomId()}:`;
    let marked = false;
    const standard = replaceOutsideStrings(text, (literal) => {
      if (isExact(literal)) return literal;
      marked = true;
      return `"${mark}${literal}"`;
    });
    if (!marked) return JSON.parse(text);
    return JSON.parse(standard, (_key, value: unknown) =>
      typeof value === "string" && value.startsWith(mark) ? specialValue(value.slice(mark.length)) : value,
    );
  },
  stringify(value) {
    const mark = `${randomId()}:`;
    const text = nativeJson.stringify(markSpecials(value, mark, true));
    if (!text.includes(mark)) return text;
    return text.replaceAll(new RegExp(`"${mark}([^"]+)"`, "g"), "$1");
  },
};

/** Replaces the special literals. It goes from quote to quote, because a pattern for strings fails on very long ones. */
function replaceOutsideStrings(text: string, replace: (literal: string) => string): string {
  // Where a text has none, not even in its strings, there is nothing to look for.
  if (text.search(specials) < 0) return text;
  const parts: string[] = [];
  let at = 0;
  while (at < text.length) {
    const opening = text.indexOf('"', at);
    const end = opening < 0 ? text.length : opening;
    parts.push(text.slice(at, end).replace(specials, replace));
    at = opening < 0 ? end : closingOf(text, opening) + 1;
    parts.push(text.slice(end, at));
  }
  return parts.join("");
}

/** Returns the place of the quote that ends a string. A string without one reaches to the end. */
function closingOf(text: string, opening: number): number {
  let closing = text.indexOf('"', opening + 1);
  while (closing >= 0 && isEscaped(text, closing)) closing = text.indexOf('"', closing + 1);
  return closing < 0 ? text.length - 1 : closing;
}

/** Whether an odd number of backslashes stands before a place. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text[first - 1] === "\\") first -= 1;
  return (at - first) % 2 === 1;
}

/** Whether a number holds the integer literal exactly. */
function isExact(literal: string): boolean {
  return Number.isSafeInteger(Number(literal));
}

function specialValue(literal: string): number | bigint {
  if (!/\d/.test(literal)) return Number(literal);
  if (literal.length > mostDigits) throw new SyntaxError(`An integer has more than ${mostDigits} digits.`);
  return BigInt(literal);
}

/** Marks what a value's `toJSON` gives. JSON does not call `toJSON` of that again. */
function markWritten(written: unknown, value: object, mark: string): unknown {
  if (typeof written !== "object" || written === null || Array.isArray(written)) return markSpecials(written, mark);
  return written === value || isShownByFields(written) ? markFields(written, mark) : written;
}

function markFields(value: object, mark: string): object {
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, markSpecials(field, mark)]));
}

/** Returns a copy in which values that JSON lacks are marked texts. Leaves class instances alone. */
function markSpecials(value: unknown, mark: string, isMessage = false): unknown {
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return `${mark}${value}`;
  if (Array.isArray(value)) return value.map((item: unknown) => markSpecials(item, mark));
  if (typeof value !== "object" || value === null) return value;
  if (foreignKind(value) !== undefined) return value;
  if (writesItself(value)) return isDate(value) ? value : markWritten(value.toJSON(""), value, mark);
  return isMessage || isShownByFields(value) ? markFields(value, mark) : value;
}
