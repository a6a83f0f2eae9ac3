import type { Clock } from "../../core/internal.ts";
import { limits } from "../limits.ts";

interface Said {
  readonly reason: string;
  readonly atMs: number;
  /** Refusals since then. */
  repeated: number;
}

/**
 * Tells new refusals of agent types from repeated ones: a worker that waits for a type asks about once a second. Keeps the last
 * 1 000 clients and types, whose names the host has cut to a length.
 */
export class RepeatedRefusals {
  readonly #clock: Clock;
  readonly #said = new Map<string, Said>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many refusals were kept back since the last one that was new; undefined: keep this one back, too. */
  note(clientId: string, agentType: string, reason: string): number | undefined {
    const name = nameOf(clientId, agentType);
    const before = this.#said.get(name);
    const nowMs = this.#clock.now();
    if (before?.reason === reason && nowMs < before.atMs + limits.repeatedRefusalMs) {
      before.repeated += 1;
      return undefined;
    }
    this.#said.delete(name);
    this.#said.set(name, { reason, atMs: nowMs, repeated: 0 });
    const oldest = this.#said.keys().next();
    if (this.#said.size > limits.rememberedRefusals && !oldest.done) this.#said.delete(oldest.value);
    return before?.repeated ?? 0;
  }

  /** The client has the type now: its next refusal is new. */
  forget(clientId: string, agentType: string): void {
    this.#said.delete(nameOf(clientId, agentType));
  }
}

function nameOf(clientId: string, agentType: string): string {
  return `${clientId.length}:${clientId}${agentType}`;
}
