/** The label of all names for which there is no place. */
export const otherLabel = "other";

/** Names that become labels, and characters of each. */
const mostNames = 100;
const mostChars = 120;

/** Values by a name that comes from outside. The first 100 names have a value of their own, all further ones share that of `other`. */
export class CappedLabels<T> {
  readonly #make: (label: string) => T;
  readonly #known = new Map<string, T>();
  #other: T | undefined;

  constructor(make: (label: string) => T) {
    this.#make = make;
  }

  of(name: string): T {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    // A name that is the label itself must not become a second one.
    if (this.#known.size >= mostNames || name.length > mostChars || name === otherLabel) {
      this.#other ??= this.#make(otherLabel);
      return this.#other;
    }
    const made = this.#make(name);
    this.#known.set(name, made);
    return made;
  }
}
