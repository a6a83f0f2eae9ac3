import { ChurnedMap } from "../../collections/churned-map.ts";
import { type Due, DueHeap } from "../../delivery/calls/due-heap.ts";
import type { AgentName } from "../../state/agent-name.ts";
import type { StoredReminder } from "../../state/state-store.ts";

/** A reminder in memory, which waits for its time or for its agent. */
export interface KnownReminder extends Due {
  readonly key: string;
  readonly agentKey: string;
  readonly stored: StoredReminder;
}

/** The bytes of the messages that stay in memory. */
const mostBytes = 16 * 1024 * 1024;

/** Reminders that were read from the store and are not under way, by the time at which they are due. Each has a key. */
export class KnownReminders {
  readonly #heap = new DueHeap<KnownReminder>();
  readonly #known = new ChurnedMap<string, KnownReminder>();
  /** Those that are due while another reminder of their agent is under way, or while it has no slot; by agent. They are not in the heap. */
  readonly #behind = new ChurnedMap<string, KnownReminder[]>();
  #bytes = 0;
  #order = 0;

  get size(): number {
    return this.#known.size;
  }

  /** Bytes of their messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of those that no other reminder of their agent holds back. */
  get waitingCount(): number {
    return this.#heap.size;
  }

  /** The one that is due first, of those that nothing holds back. */
  get first(): KnownReminder | undefined {
    return this.#heap.first;
  }

  get(key: string): KnownReminder | undefined {
    return this.#known.get(key);
  }

  /** Whether a message of this length fits into memory. A single one always does. */
  fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= mostBytes;
  }

  /** Whether all in memory, with these bytes of others, is short enough to be read again with what is new. */
  isLight(otherBytes: number): boolean {
    return 2 * (this.#bytes + otherBytes) <= mostBytes;
  }

  /** Takes one that is not known. */
  add(key: string, agentKey: string, stored: StoredReminder): void {
    this.#order += 1;
    const entry = { key, agentKey, stored, dueMs: stored.dueMs, dueOrder: this.#order, duePlace: -1 };
    this.#known.set(key, entry);
    this.#bytes += stored.message.length;
    this.#heap.add(entry);
  }

  /** Removes one; an unknown one is fine. Returns it if it was the last of its agent that was held back. */
  remove(key: string): KnownReminder | undefined {
    const entry = this.#known.get(key);
    if (entry === undefined) return undefined;
    this.#known.delete(key);
    this.#bytes -= entry.stored.message.length;
    const behind = this.#behind.get(entry.agentKey);
    const place = behind?.indexOf(entry) ?? -1;
    if (behind === undefined || place < 0) {
      this.#heap.remove(entry);
      return undefined;
    }
    behind.splice(place, 1);
    if (behind.length > 0) return undefined;
    this.#behind.delete(entry.agentKey);
    return entry;
  }

  /** Returns the keys of an agent's reminders. Looks at all that are known. */
  keysOf(agentKey: string): string[] {
    return this.#known
      .values()
      .filter((entry) => entry.agentKey === agentKey)
      .map(({ key }) => key);
  }

  /** Returns the keys of the reminders of some agents. Looks at all that are known. */
  keysIn(isOne: (agent: AgentName) => boolean): string[] {
    return this.#known
      .values()
      .filter(({ stored }) => isOne(stored.agent))
      .map(({ key }) => key);
  }

  /** Another reminder of its agent is under way, or the agent has no slot. */
  holdBack(entry: KnownReminder): void {
    this.#heap.remove(entry);
    const behind = this.#behind.get(entry.agentKey) ?? [];
    this.#behind.set(entry.agentKey, behind);
    behind.push(entry);
  }

  /** Returns those that are held back. */
  heldBack(): readonly KnownReminder[] {
    return this.#behind.values().flat();
  }

  /** The reminders of the agent are held back no more. */
  letGo(agentKey: string): void {
    for (const entry of this.#behind.get(agentKey) ?? []) this.#heap.add(entry);
    this.#behind.delete(agentKey);
  }
}
