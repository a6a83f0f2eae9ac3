/** Topic types that a subscription matches: one exactly, or all with a prefix. Case-sensitive. */
export type TopicPattern =
  | { readonly kind: "type"; readonly topicType: string }
  | { readonly kind: "prefix"; readonly prefix: string };

interface Entry<Value> {
  readonly order: number;
  readonly value: Value;
}

// protocol.md H18
/**
 * Finds values by the topic types that their patterns match, in the order they were added. A change costs at most the
 * entries under the same pattern. The index keeps nothing about topics, so it does not grow with them.
 */
export class PatternIndex<Value> {
  readonly #exact = new Map<string, Entry<Value>[]>();
  /** By prefix length, then by prefix. A look-up slices the topic type once for each length in use. */
  readonly #prefixes = new Map<number, Map<string, Entry<Value>[]>>();
  #nextOrder = 0;

  add(pattern: TopicPattern, value: Value): void {
    const entry = { order: this.#nextOrder++, value };
    const entries = this.#entriesOf(pattern);
    if (entries !== undefined) entries.push(entry);
    else if (pattern.kind === "type") this.#exact.set(pattern.topicType, [entry]);
    else this.#addPrefix(pattern.prefix, entry);
  }

  /** Removes the first value under this pattern for which `isIt` returns true. */
  remove(pattern: TopicPattern, isIt: (value: Value) => boolean): void {
    const entries = this.#entriesOf(pattern);
    const at = entries?.findIndex((entry) => isIt(entry.value)) ?? -1;
    if (entries === undefined || at < 0) return;
    entries.splice(at, 1);
    if (entries.length === 0) this.#removePattern(pattern);
  }

  /** Returns the values added under exactly this pattern. */
  under(pattern: TopicPattern): Value[] {
    return this.#entriesOf(pattern)?.map((entry) => entry.value) ?? [];
  }

  /** Returns all values whose pattern matches, in the order they were added. */
  matches(topicType: string): Value[] {
    const exact = this.#exact.get(topicType);
    let found: Entry<Value>[] | undefined;
    for (const [length, byPrefix] of this.#prefixes) {
      if (length > topicType.length) continue;
      const entries = byPrefix.get(topicType.slice(0, length));
      if (entries !== undefined) found = found === undefined ? [...entries] : found.concat(entries);
    }
    if (found === undefined) return exact?.map((entry) => entry.value) ?? [];
    if (exact !== undefined) found = found.concat(exact);
    return found.sort((a, b) => a.order - b.order).map((entry) => entry.value);
  }

  #entriesOf(pattern: TopicPattern): Entry<Value>[] | undefined {
    return pattern.kind === "type"
      ? this.#exact.get(pattern.topicType)
      : this.#prefixes.get(pattern.prefix.length)?.get(pattern.prefix);
  }

  #addPrefix(prefix: string, entry: Entry<Value>): void {
    const byPrefix = this.#prefixes.get(prefix.length);
    if (byPrefix === undefined) this.#prefixes.set(prefix.length, new Map([[prefix, [entry]]]));
    else byPrefix.set(prefix, [entry]);
  }

  #removePattern(pattern: TopicPattern): void {
    if (pattern.kind === "type") {
      this.#exact.delete(pattern.topicType);
      return;
    }
    const byPrefix = this.#prefixes.get(pattern.prefix.length);
    byPrefix?.delete(pattern.prefix);
    if (byPrefix?.size === 0) this.#prefixes.delete(pattern.prefix.length);
  }
}
