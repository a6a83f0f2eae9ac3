import { TroupeError } from "../errors.ts";

/** What a number among options may be: at least `from`, at most `to` (default: any, `Infinity` too). */
export interface NumberRange {
  readonly from: number;
  readonly to?: number;
}

/** A range for every option that is a number; the compiler misses one that has none. */
export type NumberRanges<Options> = {
  readonly [Name in keyof Options as NonNullable<Options[Name]> extends number ? Name : never]-?: NumberRange;
};

/** A time limit in which something has to happen. */
export const someTime: NumberRange = { from: 1 };
/** A time that may be none at all. */
export const anyTime: NumberRange = { from: 0 };
/** A bound that nothing could pass if it were 0. */
export const someRoom: NumberRange = { from: 1 };
/** A bound that may be 0. */
export const anyRoom: NumberRange = { from: 0 };

/** Throws `invalid-argument`, naming the option, for a word that it doesn't know. */
export function assertWord(name: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || words.some((word) => word === value)) return;
  const known = words.map((word) => `"${word}"`).join(" or ");
  throw new TroupeError("invalid-argument", `The option ${name} has to be ${known}, not ${String(value)}.`);
}

/** Throws `invalid-argument`, naming the option, for what can't be meant: NaN, text, or a number outside its range. */
export function assertNumbers<Options extends object>(options: Options, ranges: NumberRanges<Options>): void {
  for (const [name, range] of Object.entries<NumberRange>(ranges)) {
    const value: unknown = Reflect.get(options, name);
    if (value === undefined) continue;
    const { from, to = Number.POSITIVE_INFINITY } = range;
    if (typeof value === "number" && value >= from && value <= to) continue;
    const limits = to === Number.POSITIVE_INFINITY ? `of at least ${from}` : `from ${from} to ${to}`;
    throw new TroupeError("invalid-argument", `The option ${name} has to be a number ${limits}, not ${String(value)}.`);
  }
}
