/** An item that is due at a time. The heap writes `duePlace`. */
export interface Due {
  readonly dueMs: number;
  /** Orders items that are due at the same time: the lower number comes first. */
  readonly dueOrder: number;
  /** The place in the heap, from 0 on. */
  duePlace: number;
}

export function isBefore(one: Due, other: Due): boolean {
  return one.dueMs === other.dueMs ? one.dueOrder < other.dueOrder : one.dueMs < other.dueMs;
}

/**
 * A binary heap; the item that is due next comes first. Items know their places, so adding and removing take a number of
 * comparisons that grows with the logarithm of its size.
 */
export class DueHeap<T extends Due> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  /** Adds an item that is not in the heap. */
  add(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Removes an item that is in the heap. */
  remove(item: T): void {
    const place = item.duePlace;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#sink(last, place);
    if (last.duePlace === place) this.#rise(last, place);
  }

  /** The items by their due times. The heap must not change meanwhile. It takes no more time for those that no caller asks for. */
  *inOrder(): Iterable<T> {
    const next = new DueHeap<Due & { readonly at: number }>();
    const reach = (at: number): void => {
      const item = this.#items[at];
      if (item !== undefined) next.add({ dueMs: item.dueMs, dueOrder: item.dueOrder, duePlace: -1, at });
    };
    reach(0);
    for (let first = next.first; first !== undefined; first = next.first) {
      next.remove(first);
      const item = this.#items[first.at];
      if (item !== undefined) yield item;
      reach(2 * first.at + 1);
      reach(2 * first.at + 2);
    }
  }

  /** Puts the item at this place, or nearer to the first. */
  #rise(item: T, from: number): void {
    const items = this.#items;
    let place = from;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = items[parentPlace];
      if (parent === undefined || !isBefore(item, parent)) break;
      items[place] = parent;
      parent.duePlace = place;
      place = parentPlace;
    }
    items[place] = item;
    item.duePlace = place;
  }

  /** Puts the item at this place, or further from the first. */
  #sink(item: T, from: number): void {
    const items = this.#items;
    let place = from;
    for (;;) {
      let childPlace = 2 * place + 1;
      let child = items[childPlace];
      if (child === undefined) break;
      const right = items[childPlace + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        childPlace += 1;
      }
      if (!isBefore(child, item)) break;
      items[place] = child;
      child.duePlace = place;
      place = childPlace;
    }
    items[place] = item;
    item.duePlace = place;
  }
}
