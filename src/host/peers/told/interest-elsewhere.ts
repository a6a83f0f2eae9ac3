import { TopicIndex } from "../../registry/subscriptions/topic-index.ts";
import { type Pattern, patternText } from "./told-presence.ts";

/** The patterns of a host, and how many of them are for each agent type. */
interface Interest {
  readonly patterns: Map<string, Pattern>;
  readonly types: Map<string, number>;
}

/**
 * The subscriptions of all other hosts in one index. An exclusive type is served at one host. While it changes to another one, two may have
 * patterns for it.
 */
export class InterestElsewhere<Host extends object> {
  readonly #index = new TopicIndex();
  readonly #byHost = new Map<Host, Interest>();
  /** The hosts with a pattern for an agent type; the one that began last is the last. */
  readonly #hosts = new Map<string, Set<Host>>();

  get isEmpty(): boolean {
    return this.#hosts.size === 0;
  }

  /** Whether some host has told a pattern. */
  has(pattern: Pattern): boolean {
    const text = patternText(pattern);
    return [...(this.#hosts.get(pattern.agentType) ?? [])].some((host) => this.#byHost.get(host)?.patterns.has(text));
  }

  /** Returns whether anything has changed. */
  change(host: Host, pattern: Pattern, begins: boolean): boolean {
    const interest = this.#byHost.get(host) ?? { patterns: new Map(), types: new Map() };
    this.#byHost.set(host, interest);
    const text = patternText(pattern);
    if (interest.patterns.has(text) === begins) return false;
    if (begins) this.#begin(host, interest, text, pattern);
    else this.#cease(host, interest, text, pattern);
    return true;
  }

  /** The link to the host has ended. */
  forget(host: Host): void {
    const interest = this.#byHost.get(host);
    for (const [text, pattern] of interest?.patterns ?? []) if (interest) this.#cease(host, interest, text, pattern);
    this.#byHost.delete(host);
  }

  /** Calls `visit` for each agent type that an event on this topic is for; once for one that matches in several ways, or more often. */
  visit(topicType: string, visit: (agentType: string) => void): void {
    this.#index.visit(topicType, visit);
  }

  /** Returns the host that gets the events of an agent type. It is the preferred one if that has a pattern for the type, else the one that began last. */
  hostOf(agentType: string, preferred: Host | undefined): Host | undefined {
    const hosts = this.#hosts.get(agentType);
    if (hosts === undefined || (preferred !== undefined && hosts.has(preferred))) return hosts && preferred;
    return [...hosts].at(-1);
  }

  #begin(host: Host, { patterns, types }: Interest, text: string, pattern: Pattern): void {
    const { agentType } = pattern;
    patterns.set(text, pattern);
    const count = types.get(agentType) ?? 0;
    types.set(agentType, count + 1);
    this.#index.add(pattern);
    if (count > 0) return;
    this.#hosts.set(agentType, (this.#hosts.get(agentType) ?? new Set()).add(host));
  }

  #cease(host: Host, { patterns, types }: Interest, text: string, pattern: Pattern): void {
    const { agentType } = pattern;
    patterns.delete(text);
    this.#index.remove(pattern);
    const count = types.get(agentType) ?? 0;
    if (count > 1) {
      types.set(agentType, count - 1);
      return;
    }
    types.delete(agentType);
    const hosts = this.#hosts.get(agentType);
    hosts?.delete(host);
    if (hosts?.size === 0) this.#hosts.delete(agentType);
  }
}
