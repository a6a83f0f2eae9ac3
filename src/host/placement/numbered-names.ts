/** Names with a number each, counted: the number of a name that nothing uses any more is given again. */
export class NumberedNames {
  readonly #numbers = new Map<string, number>();
  readonly #names: (string | undefined)[] = [];
  readonly #uses: number[] = [];
  readonly #free: number[] = [];

  /** Undefined: nothing uses the name. */
  find(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  name(number: number): string {
    return this.#names[number] ?? "";
  }

  uses(number: number): number {
    return this.#uses[number] ?? 0;
  }

  /** Counts one use more; returns the number of the name. */
  use(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#free.pop() ?? this.#names.length;
      this.#numbers.set(name, number);
      this.#names[number] = name;
      this.#uses[number] = 0;
    }
    this.#uses[number] = this.uses(number) + 1;
    return number;
  }

  /** Counts one use less. Returns whether it was the last. */
  release(number: number): boolean {
    const left = this.uses(number) - 1;
    this.#uses[number] = left;
    if (left > 0) return false;
    const name = this.name(number);
    if (this.#numbers.get(name) === number) this.#numbers.delete(name);
    this.#names[number] = undefined;
    this.#free.push(number);
    return true;
  }

  /** The next use of the name gets another number; the old one lives as long as it is used. */
  part(name: string): void {
    this.#numbers.delete(name);
  }
}
