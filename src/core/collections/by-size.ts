/** Items of one size class that are compared with each other. */
const mostCompared = 64;

/** Items with sizes, one of the largest of which is found without a look at all. */
export class BySize<Item> {
  readonly #sizes = new Map<Item, number>();
  /** Sizes of class n are from 2 ** n on, and below 2 ** (n + 1). */
  readonly #classes: Set<Item>[] = [];

  get count(): number {
    return this.#sizes.size;
  }

  /** Sets the size of an item. Without a size above 0 it is not among the items. */
  set(item: Item, size: number): void {
    const before = this.#sizes.get(item) ?? 0;
    if (before === size) return;
    if (size > 0) this.#sizes.set(item, size);
    else this.#sizes.delete(item);
    const [from, to] = [classOf(before), classOf(size)];
    if (from === to) return;
    this.#classes[from]?.delete(item);
    if (to < 0) return;
    while (this.#classes.length <= to) this.#classes.push(new Set());
    this.#classes[to]?.add(item);
  }

  /** Returns the largest item of at most 64 with sizes near each other, else one that has more than half of the largest size. */
  get largest(): Item | undefined {
    const items = this.#classes.findLast(({ size }) => size > 0);
    if (items === undefined) return undefined;
    let largest: Item | undefined;
    let most = 0;
    let compared = 0;
    for (const item of items) {
      const size = this.#sizes.get(item) ?? 0;
      if (size > most) [largest, most] = [item, size];
      compared += 1;
      if (compared === mostCompared) break;
    }
    return largest;
  }
}

/** -1: there is no size. */
function classOf(size: number): number {
  return size < 1 ? -1 : Math.floor(Math.log2(size));
}
