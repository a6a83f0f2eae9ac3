import { TroupeError } from "../errors.ts";
import { nearestName } from "./nearest-name.ts";
import type { OptionKind } from "./option-kinds.ts";
import { quoted, wrongValue } from "./option-values.ts";

/** One kind for each option; a missing one is a compile error. */
export type OptionKinds<Options> = { readonly [Name in keyof Options]-?: OptionKind };

/** The options that something takes. */
export type OptionShape = ReadonlyMap<string, OptionKind>;

/** Makes the shape of an options object. */
export function optionShape<Options extends object>(kinds: OptionKinds<Options>): OptionShape {
  return new Map(Object.entries<OptionKind>(kinds));
}

/** An options object inside another. */
export function options<Options extends object>(kinds: OptionKinds<Options>): OptionKind {
  const shape = optionShape(kinds);
  return {
    expected: "an object of options",
    accepts: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    assertInside: (value, name) => assertOptions(value, shape, `The option ${name}`, name),
  };
}

/** Longest list of names in an error. */
const mostListed = 12;

/**
 * Checks the options that a user gave to `taker`. Throws `invalid-argument` for an unknown name, with the nearest known one, and for
 * a value of a wrong kind. It looks only at options that are given. `inside` is the name of the option that holds them.
 */
export function assertOptions(given: unknown, shape: OptionShape, taker: string, inside?: string): void {
  if (!isFields(given)) throw wrongValue(`The options of ${inSentence(taker)} must be an object`, given);
  for (const name in given) {
    const kind = shape.get(name);
    if (kind === undefined) throw unknownOption(name, shape, taker);
    const value = given[name];
    if (value !== undefined) assertKind(inside === undefined ? name : `${inside}.${name}`, value, kind);
  }
}

/** "A worker" begins a sentence; inside one it reads "a worker". */
function inSentence(taker: string): string {
  return taker.replace(/^(?:A|The) /, (article) => article.toLowerCase());
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Throws `invalid-argument` if the value is not of the kind. */
export function assertKind(name: string, value: unknown, kind: OptionKind): void {
  if (kind.accepts(value)) {
    if (kind.assertInside !== undefined && typeof value === "object" && value !== null) kind.assertInside(value, name);
    return;
  }
  kind.refuse?.(value, `The option ${name}`);
  throw wrongValue(`The option ${name} must be ${kind.expected}`, value);
}

function unknownOption(name: string, shape: OptionShape, taker: string): TroupeError {
  const known = [...shape.keys()];
  const nearest = nearestName(name, known);
  const hint =
    nearest !== undefined
      ? ` Did you mean ${nearest}?`
      : known.length <= mostListed
        ? ` It takes ${known.join(", ")}.`
        : " Its documentation lists the options.";
  return new TroupeError("invalid-argument", `${taker} has no option ${quoted(name)}.${hint}`);
}
