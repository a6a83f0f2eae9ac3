/** Compares texts by code points, as Python sorts them. JavaScript compares UTF-16 units. */
export function compareByCodePoints(left: string, right: string): number {
  const rights = right[Symbol.iterator]();
  for (const character of left) {
    const other = rights.next();
    if (other.done === true) return 1;
    if (character !== other.value) return (character.codePointAt(0) ?? 0) - (other.value.codePointAt(0) ?? 0);
  }
  return rights.next().done === true ? 0 : -1;
}
