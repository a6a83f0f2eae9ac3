/** Returns a list as it is, and any other value as the one item of a list. */
export function asList<T>(oneOrMany: T | readonly T[]): readonly T[] {
  return isList(oneOrMany) ? oneOrMany : [oneOrMany];
}

/** `Array.isArray` does not tell the compiler that a `readonly` list is one. */
function isList<T>(oneOrMany: T | readonly T[]): oneOrMany is readonly T[] {
  return Array.isArray(oneOrMany);
}
