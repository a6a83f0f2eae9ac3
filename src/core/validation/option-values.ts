import { TroupeError } from "../errors.ts";

/** Valid range of a numeric option: at least `from`, at most `to` (default: `Infinity`). */
export interface NumberRange {
  readonly from: number;
  readonly to?: number;
}

/** A time limit, at least 1 ms. */
export const someTime: NumberRange = { from: 1 };
/** A time, 0 included. */
export const anyTime: NumberRange = { from: 0 };
/** A limit, at least 1. */
export const someRoom: NumberRange = { from: 1 };
/** A limit, 0 included. */
export const anyRoom: NumberRange = { from: 0 };

/** Characters of a wrong text that an error shows. */
const longestShown = 100;

/** Quotes a text for an error: an empty one can be seen, a long one is cut, and control characters are escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > longestShown ? `${text.slice(0, longestShown)}…` : text);
}

/** Whether a text can travel and be stored: one with half of a surrogate pair would come as another text. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Describes a wrong value in an error. A text is quoted, so that "3" does not read as 3, and cut. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `the text ${quoted(value)}`;
    case "function":
      return isClass(value) ? `the class ${value.name}` : "a function";
    case "bigint":
      return `${value}n`;
    case "object":
      break;
    default:
      return String(value);
  }
  if (value === null) return "null";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid Date" : "a Date";
  if (value instanceof Promise) return "a Promise: await it first";
  return Array.isArray(value) ? "a list" : `a value of ${value.constructor?.name || "no class"}`;
}

/** Whether the value is a class, which can't be called as a function. */
export function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Makes the error for a wrong argument or option: `expected` says what must be there, and begins the text. */
export function wrongValue(expected: string, value: unknown): TroupeError {
  return new TroupeError("invalid-argument", `${expected}, not ${describe(value)}.`);
}
