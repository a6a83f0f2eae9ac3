/** Numbers that are added in rising order, and deleted in any. It finds those above a number without passing over the others. */
export class RisingNumbers {
  /** Deleted ones stay until they are half of all. */
  #list: number[] = [];
  #left = 0;
  readonly #isThere: (number: number) => boolean;

  /** `isThere`: whether a number has not been deleted. */
  constructor(isThere: (number: number) => boolean) {
    this.#isThere = isThere;
  }

  add(number: number): void {
    this.#list.push(number);
    this.#left += 1;
  }

  /** Notes that one number is deleted: `isThere` does not hold for it any more. */
  deleted(): void {
    this.#left -= 1;
    if (this.#list.length < 2 * this.#left + 16) return;
    this.#list = this.#list.filter(this.#isThere);
  }

  *above(number: number): Iterable<number> {
    const list = this.#list;
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((list[middle] ?? 0) > number) high = middle;
      else low = middle + 1;
    }
    for (let at = low; at < list.length; at += 1) {
      const found = list[at] ?? 0;
      if (this.#isThere(found)) yield found;
    }
  }
}
