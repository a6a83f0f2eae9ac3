/**
 * Returns the first items by an order, at most `limit` of them, sorted. It keeps no more than these, and compares most of the others once.
 * A sort of all for each page would stop a process that has many.
 */
export function firstOf<T>(items: Iterable<T>, limit: number, compare: (a: T, b: T) => number): T[] {
  const found: T[] = [];
  for (const item of items) {
    const last = found[limit - 1];
    if (limit <= 0 || (last !== undefined && compare(item, last) >= 0)) continue;
    if (last !== undefined) found.pop();
    found.splice(placeOf(item, found, compare), 0, item);
  }
  return found;
}

/** Returns the place behind all that are not later. */
function placeOf<T>(item: T, sorted: readonly T[], compare: (a: T, b: T) => number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = sorted[middle];
    if (other !== undefined && compare(item, other) < 0) high = middle;
    else low = middle + 1;
  }
  return low;
}
