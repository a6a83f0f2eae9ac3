/** The traits of a value that the index reads. */
export interface Scoped {
  /** Only values of one scope are compared. Undefined is a scope too. */
  readonly scope: string | undefined;
  /** False: the value counts for nothing any more, and is still to be removed. */
  readonly isLive: boolean;
}

/**
 * Finds values by a name and by their scope, within which few live ones share a name. It drops those that are not live when it
 * comes across them, so that a look-up does not pass over the same ones again.
 */
export class EqualsIndex<V extends Scoped> {
  /** A name with one value needs no collections. */
  readonly #entries = new Map<string, V | Map<string | undefined, Set<V>>>();

  add(name: string, value: V): void {
    const known = this.#entries.get(name);
    if (known === undefined || !(known instanceof Map)) {
      if (known === undefined || !known.isLive) this.#entries.set(name, value);
      else this.#entries.set(name, scoped(known, value));
      return;
    }
    enter(known, value);
  }

  /** An unknown pair is fine. */
  remove(name: string, value: V): void {
    const known = this.#entries.get(name);
    if (known instanceof Map) {
      const values = known.get(value.scope);
      if (values !== undefined) this.#drop(name, known, values, value);
    } else if (known === value) this.#entries.delete(name);
  }

  /** The live values of a name in one scope. */
  of(name: string, scope: string | undefined): readonly V[] {
    const known = this.#entries.get(name);
    if (known === undefined) return [];
    if (!(known instanceof Map)) return known.isLive && known.scope === scope ? [known] : [];
    const values = known.get(scope);
    return values === undefined ? [] : [...this.#live(name, known, values)];
  }

  /** The live values of a name in all scopes. */
  *all(name: string): Iterable<V> {
    const known = this.#entries.get(name);
    if (known === undefined) return;
    if (known instanceof Map) for (const values of known.values()) yield* this.#live(name, known, values);
    else if (known.isLive) yield known;
  }

  *#live(name: string, known: Map<string | undefined, Set<V>>, values: Set<V>): Iterable<V> {
    for (const value of values) {
      if (value.isLive) yield value;
      else this.#drop(name, known, values, value);
    }
  }

  #drop(name: string, known: Map<string | undefined, Set<V>>, values: Set<V>, value: V): void {
    values.delete(value);
    if (values.size > 0) return;
    known.delete(value.scope);
    if (known.size === 0) this.#entries.delete(name);
  }
}

function scoped<V extends Scoped>(...values: readonly V[]): Map<string | undefined, Set<V>> {
  const scopes = new Map<string | undefined, Set<V>>();
  for (const value of values) enter(scopes, value);
  return scopes;
}

function enter<V extends Scoped>(scopes: Map<string | undefined, Set<V>>, value: V): void {
  const values = scopes.get(value.scope);
  if (values === undefined) scopes.set(value.scope, new Set([value]));
  else values.add(value);
}
