import type { RememberedMessage } from "../state-store.ts";
import { storeLimits } from "../store-limits.ts";
import { sizeOfRemembered } from "./memory-sizes.ts";

interface Remembered extends RememberedMessage {
  readonly atMs: number;
}

/** The messages that agents of a store in memory remember. Methods that change them return how many bytes they add. */
export class MemoryRemembered {
  readonly #byAgent = new Map<string, readonly Remembered[]>();

  /** Finds a message, unless it is too old. `agent`: the text of its agent. */
  find(agent: string, id: string, principal: string, wallMs: number): RememberedMessage | undefined {
    const all = this.#byAgent.get(agent) ?? [];
    const found = all.find((one) => one.id === id && one.principal === principal && isFresh(one, wallMs));
    return found && { id, principal, answer: found.answer && new Uint8Array(found.answer) };
  }

  /** Answers and ids of mail are bounded apart from each other. */
  add(agent: string, messages: readonly RememberedMessage[], wallMs: number): number {
    const before = this.#byAgent.get(agent) ?? [];
    const byId = new Map(before.filter((one) => isFresh(one, wallMs)).map((one) => [textOfId(one), one]));
    for (const { id, principal, answer } of messages) {
      const one = { id, principal, answer: answer && new Uint8Array(answer), atMs: wallMs };
      // It becomes the newest.
      byId.delete(textOfId(one));
      byId.set(textOfId(one), one);
    }
    const all = [...byId.values()];
    const answers = all.filter(({ answer }) => answer !== undefined).slice(-storeLimits.remembered);
    const ids = all.filter(({ answer }) => answer === undefined).slice(-storeLimits.remembered);
    const kept = [...answers, ...ids];
    this.#byAgent.set(agent, kept);
    return sizeOf(agent, kept) - sizeOf(agent, before);
  }

  removeAll(agent: string): number {
    const before = this.#byAgent.get(agent) ?? [];
    this.#byAgent.delete(agent);
    return -sizeOf(agent, before);
  }
}

function sizeOf(agent: string, messages: readonly Remembered[]): number {
  return messages.reduce((sum, one) => sum + sizeOfRemembered(agent, one), 0);
}

/** Returns one text for an id of a principal. */
function textOfId({ id, principal }: RememberedMessage): string {
  return `${principal.length}:${principal}${id}`;
}

function isFresh({ atMs }: Remembered, wallMs: number): boolean {
  return atMs > wallMs - storeLimits.rememberedMs;
}
