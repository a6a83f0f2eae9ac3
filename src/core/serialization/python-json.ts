import { randomId } from "../clock.ts";
import { type JsonCodec, nativeJson } from "./json-codec.ts";
import { isShownByFields } from "./json-loss.ts";

/**
 * A string (an unterminated one reaches to the end, which keeps time linear), or a literal that JSON lacks or that a
 * number would change.
 */
const tokens = /"(?:[^"\\]|\\[\s\S])*"?|(?<![\d.eE+-])(?:NaN|-?Infinity|-?\d{16,})(?=\s*(?:[,\]}]|$))/g;

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
    const standard = text.replace(tokens, (token) => {
      if (token.startsWith('"') || isExact(token)) return token;
      marked = true;
      return `"${mark}${token}"`;
    });
    if (!marked) return JSON.parse(text);
    return JSON.parse(standard, (_key, value: unknown) =>
      typeof value === "string" && value.startsWith(mark) ? specialValue(value.slice(mark.length)) : value,
    );
  },
  stringify(value) {
    const mark = `${randomId()}:`;
    const text = nativeJson.stringify(markSpecials(value, mark, true));
    return text.replaceAll(new RegExp(`"${mark}([^"]+)"`, "g"), "$1");
  },
};

/** Whether a number holds the integer literal exactly. */
function isExact(literal: string): boolean {
  return Number.isSafeInteger(Number(literal));
}

function specialValue(literal: string): number | bigint {
  return /\d/.test(literal) ? BigInt(literal) : Number(literal);
}

/** Returns a copy in which values that JSON lacks are marked texts. Leaves class instances alone. */
function markSpecials(value: unknown, mark: string, isMessage = false): unknown {
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return `${mark}${value}`;
  if (Array.isArray(value)) return value.map((item: unknown) => markSpecials(item, mark));
  if (typeof value !== "object" || value === null || "toJSON" in value) return value;
  if (!isMessage && !isShownByFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, markSpecials(field, mark)]));
}
