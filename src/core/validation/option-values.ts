import { TroupeError } from "../errors.ts";

/** Valid range of a numeric option: at least `from`, at most `to` (default: `Infinity`). */
export interface NumberRange {
  readonly from: number;
  readonly to?: number;
}

/** One range for each numeric option; a missing one is a compile error. */
export type NumberRanges<Options> = {
  readonly [Name in keyof Options as NonNullable<Options[Name]> extends number ? Name : never]-?: NumberRange;
};

/** A time limit, at least 1 ms. */
export const someTime: NumberRange = { from: 1 };
/** A time, 0 included. */
export const anyTime: NumberRange = { from: 0 };
/** A limit, at least 1. */
export const someRoom: NumberRange = { from: 1 };
/** A limit, 0 included. */
export const anyRoom: NumberRange = { from: 0 };

/** Throws `invalid-argument` with the name of the option if `value` is not one of the words. */
export function assertWord(name: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || words.some((word) => word === value)) return;
  const known = words.map((word) => `"${word}"`).join(" or ");
  throw new TroupeError("invalid-argument", `The option ${name} must be ${known}, not ${describe(value)}.`);
}

/**
 * Throws `invalid-argument` with the name of the option for NaN, a value that is not a number, or a number outside its
 * range.
 */
export function assertNumbers<Options extends object>(options: Options, ranges: NumberRanges<Options>): void {
  for (const [name, range] of Object.entries<NumberRange>(ranges)) {
    const value: unknown = Reflect.get(options, name);
    if (value === undefined) continue;
    const { from, to = Number.POSITIVE_INFINITY } = range;
    if (typeof value === "number" && value >= from && value <= to) continue;
    const limits = to === Number.POSITIVE_INFINITY ? `of at least ${from}` : `from ${from} to ${to}`;
    throw new TroupeError("invalid-argument", `The option ${name} must be a number ${limits}, not ${describe(value)}.`);
  }
}

/** Describes a wrong value in an error. A text is quoted, so that "3" does not read as 3. */
export function describe(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(value)}`;
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? "a list" : `a value of ${value.constructor?.name || "no class"}`;
}
