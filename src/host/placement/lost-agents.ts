import type { Clock } from "../../core/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import { keptText } from "../sessions/pending-call.ts";

interface Losses {
  /** When the latest losses were, oldest first; at most three. */
  readonly atMs: number[];
  /** Until when the agent gets no messages; 0: it gets them. */
  quarantinedUntilMs: number;
}

// protocol.md §11.17
/**
 * Remembers with which agents workers were lost. A message that ends each process which handles it would end one worker after the other, since
 * its agent is placed anew each time. So an agent with which three were lost within a minute gets no messages for a minute.
 */
export class LostAgents {
  readonly #clock: Clock;
  readonly #counters: MutableHostCounters;
  /** By type and key, those with the latest loss last. */
  readonly #losses = new Map<string, Losses>();
  #chars = 0;

  constructor(clock: Clock, counters: MutableHostCounters) {
    this.#clock = clock;
    this.#counters = counters;
  }

  get size(): number {
    return this.#losses.size;
  }

  /** A worker was lost, and had calls for these agents. */
  lost(agents: ReadonlySet<string>): void {
    const nowMs = this.#clock.now();
    for (const name of agents) {
      const losses = this.#losses.get(name) ?? { atMs: [], quarantinedUntilMs: 0 };
      this.#delete(name);
      while (losses.atMs.length > 0 && nowMs - (losses.atMs[0] ?? 0) > limits.quarantineMs) losses.atMs.shift();
      losses.atMs.push(nowMs);
      if (losses.atMs.length >= limits.lossesOfAgent) {
        losses.atMs.length = 0;
        losses.quarantinedUntilMs = nowMs + limits.quarantineMs;
        this.#counters.quarantinedAgents += 1;
      }
      this.#losses.set(name, losses);
      this.#chars += name.length;
    }
    this.#forgetOldest();
  }

  /** Says why an agent gets no messages now. Undefined: it gets them. */
  whyNot(type: string, key: string): string | undefined {
    const name = nameOf(type, key);
    const losses = this.#losses.get(name);
    if (losses === undefined) return undefined;
    const leftMs = losses.quarantinedUntilMs - this.#clock.now();
    if (leftMs > 0) {
      const seconds = Math.ceil(leftMs / 1_000);
      return `${limits.lossesOfAgent} workers were lost while they had calls for the agent ${name}. It gets no messages for ${seconds} s.`;
    }
    const newestMs = losses.atMs.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (this.#clock.now() - newestMs > limits.quarantineMs) this.#delete(name);
    return undefined;
  }

  #delete(name: string): void {
    if (this.#losses.delete(name)) this.#chars -= name.length;
  }

  #forgetOldest(): void {
    for (const name of this.#losses.keys()) {
      if (this.#losses.size <= limits.rememberedLosses && this.#chars <= limits.rememberedLossChars) return;
      this.#delete(name);
    }
  }
}

/** The name under which losses are remembered. Of a long key the host knows only the beginning: a pending call keeps no more. */
export function nameOf(type: string, key: string): string {
  return `${type}/${keptText(key)}`;
}
