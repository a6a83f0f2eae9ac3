import { limits } from "../../limits.ts";

/** Fields of a JSON object that another host has told. */
export type ToldFields = { readonly [name: string]: unknown };

/** Entries of a list that another host tells; further ones are left out. Characters of a text; the rest is cut. */
const mostEntries = limits.listedTypes;
const mostChars = limits.nameChars;
/** Numbers by their names that another host tells; further ones are left out. */
const mostCounts = 400;

export function isFields(value: unknown): value is ToldFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The readers of single values. Each returns undefined for a value of another kind. */
export const told = {
  text: (value: unknown): string | undefined => (typeof value === "string" ? value.slice(0, mostChars) : undefined),
  flag: (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined),
  count: (value: unknown): number | undefined => (isWhole(value) ? value : undefined),
  /** Milliseconds. */
  amount: (value: unknown): number | undefined =>
    typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined,
  texts: (value: unknown): readonly string[] | undefined => {
    if (!Array.isArray(value)) return undefined;
    const texts = value.slice(0, mostEntries).map(told.text);
    return texts.every((text) => text !== undefined) ? texts : undefined;
  },
  /** Numbers by their names. One with an odd name or another value is passed over. */
  counts: (value: unknown): { readonly [name: string]: number } | undefined => {
    if (!isFields(value)) return undefined;
    const entries = Object.entries(value).slice(0, mostCounts);
    return Object.fromEntries(
      entries.flatMap(([name, count]) => (/^\w{1,64}$/.test(name) && isWhole(count) ? [[name, count]] : [])),
    );
  },
  /** Texts by their names. */
  labels: (value: unknown): { readonly [label: string]: string } | undefined => {
    if (!isFields(value)) return undefined;
    const entries = Object.entries(value)
      .slice(0, mostEntries)
      .map(([name, text]) => [name.slice(0, mostChars), told.text(text)] as const);
    return entries.every(([, text]) => text !== undefined)
      ? // Each of them was checked.
        (Object.fromEntries(entries) as { readonly [label: string]: string })
      : undefined;
  },
} as const;

/** Also takes null. */
export function orNull<Value>(
  read: (value: unknown) => Value | undefined,
): (value: unknown) => Value | null | undefined {
  return (value) => (value === null ? null : read(value));
}

/** The readers of the fields of a row. */
export type FieldReaders<Row> = { readonly [Name in keyof Row]-?: (value: unknown) => Row[Name] | undefined };

/** Reads a row that another host tells, and cuts what is too long in it. Undefined: it is something else. Unknown fields are passed over. */
export function readFields<Row>(value: unknown, readers: FieldReaders<Row>): Row | undefined {
  if (!isFields(value)) return undefined;
  const names = Object.keys(readers) as (keyof Row & string)[];
  const entries = names.map((name) => [name, readers[name](value[name])] as const);
  // Every field of the row has a reader, and each has found its kind of value.
  return entries.every(([, field]) => field !== undefined) ? (Object.fromEntries(entries) as Row) : undefined;
}

export function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
