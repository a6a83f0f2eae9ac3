import type { WirePattern } from "../../../protocol/internal.ts";
import { Multiset } from "./multiset.ts";
import { PrefixTrie } from "./prefix-trie.ts";

// protocol.md H18
/**
 * Finds the agent types whose subscriptions match a topic type. It finds exact ones in one step, and prefixes in as many steps
 * as the topic type has characters. A change touches its own pattern alone, whatever topics the host has seen before.
 */
export class TopicIndex {
  readonly #exact = new Map<string, Multiset<string>>();
  readonly #prefixes = new PrefixTrie();
  #version = 0;
  #onChange: ((pattern: WirePattern, begins: boolean) => void) | undefined;

  /** Rises with each change. */
  get version(): number {
    return this.#version;
  }

  /** Calls `onChange` when the first subscription with a pattern comes, and when the last one goes. */
  watch(onChange: (pattern: WirePattern, begins: boolean) => void): void {
    this.#onChange = onChange;
  }

  add(pattern: WirePattern): void {
    this.#version += 1;
    if (this.#enter(pattern)) this.#onChange?.(pattern, true);
  }

  /** Takes back one `add` of an equal pattern. */
  remove(pattern: WirePattern): void {
    this.#version += 1;
    if (this.#leave(pattern)) this.#onChange?.(pattern, false);
  }

  /** Calls `visit` for every agent type that matches; one that matches in several ways is visited several times. */
  visit(topicType: string, visit: (agentType: string) => void): void {
    this.#exact.get(topicType)?.visit(visit);
    this.#prefixes.visit(topicType, visit);
  }

  /** Whether the test holds for an agent type that matches. */
  some(topicType: string, test: (agentType: string) => boolean): boolean {
    return this.#exact.get(topicType)?.some(test) === true || this.#prefixes.some(topicType, test);
  }

  #enter(pattern: WirePattern): boolean {
    if (pattern.kind === "prefix") return this.#prefixes.add(pattern.topicTypePrefix, pattern.agentType);
    let types = this.#exact.get(pattern.topicType);
    if (types === undefined) {
      types = new Multiset();
      this.#exact.set(pattern.topicType, types);
    }
    return types.add(pattern.agentType);
  }

  #leave(pattern: WirePattern): boolean {
    if (pattern.kind === "prefix") return this.#prefixes.remove(pattern.topicTypePrefix, pattern.agentType);
    const types = this.#exact.get(pattern.topicType);
    const isLast = types?.remove(pattern.agentType) === true;
    if (types?.isEmpty) this.#exact.delete(pattern.topicType);
    return isLast;
  }
}
