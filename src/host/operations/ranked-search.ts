import type { BatchRunner } from "../batch-runner.ts";

/** Items that one task looks at. */
const lotSize = 256;

export interface RankedSearch<Item> {
  readonly items: Iterable<Item>;
  /** The place of an item in the order of the list. No two have the same. */
  readonly rankOf: (item: Item) => number;
  readonly isWanted: (item: Item) => boolean;
  /** Only items with a greater rank are found. */
  readonly after: number;
  readonly limit: number;
  /** Ends the search: it rejects with the reason. */
  readonly signal: AbortSignal;
}

/** Items of a page in their order. */
export interface RankedPage<Item> {
  readonly items: readonly Item[];
  /** Undefined: there are no more. */
  readonly next: number | undefined;
}

/** Finds the first items of a long list that is in no order. It looks at all of them, in batches, so that messages go on meanwhile. */
export function searchRanked<Item>(batches: BatchRunner, search: RankedSearch<Item>): Promise<RankedPage<Item>> {
  return new Promise((resolve, reject) => {
    batches.add(search, tasksOf(search, { resolve, reject }));
  });
}

function* tasksOf<Item>(
  { items, rankOf, isWanted, after, limit, signal }: RankedSearch<Item>,
  { resolve, reject }: { resolve: (page: RankedPage<Item>) => void; reject: (reason: unknown) => void },
): Iterable<() => void> {
  let found: Item[] = [];
  const cut = (): void => {
    found = found.sort((one, other) => rankOf(one) - rankOf(other)).slice(0, limit + 1);
  };
  const look = (lot: readonly Item[]): void => {
    for (const item of lot) if (rankOf(item) > after && isWanted(item)) found.push(item);
    if (found.length > 4 * (limit + lotSize)) cut();
  };
  let lot: Item[] = [];
  for (const item of items) {
    lot.push(item);
    if (lot.length < lotSize) continue;
    if (signal.aborted) return reject(signal.reason);
    const full = lot;
    lot = [];
    yield () => look(full);
  }
  yield () => look(lot);
  if (signal.aborted) return reject(signal.reason);
  cut();
  const page = found.slice(0, limit);
  const last = page.at(-1);
  resolve({ items: page, next: found.length > limit && last !== undefined ? rankOf(last) : undefined });
}
