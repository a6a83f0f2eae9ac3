import { type Due, DueHeap } from "../../delivery/calls/due-heap.ts";
import { type AgentName, compareBytes } from "../agent-name.ts";
import type { ReminderTick, StoredReminder } from "../state-store.ts";
import { sizeOfReminder } from "./memory-sizes.ts";

/** A reminder in memory. */
export interface MemoryReminder extends StoredReminder, Due {}

/** The reminders of a store in memory. Methods that change them return how many bytes they add. */
export class MemoryReminders {
  /** By agent, then by name. */
  readonly #byAgent = new Map<string, Map<string, MemoryReminder>>();
  /** The same ones, those that are due next first. */
  readonly #due = new DueHeap<MemoryReminder>();
  #lastSeq = 0;

  /** The reminders of all agents. */
  *all(): Iterable<MemoryReminder> {
    for (const ofAgent of this.#byAgent.values()) yield* ofAgent.values();
  }

  /** The reminders of an agent, by name in the order of their bytes. */
  of(agent: string): readonly MemoryReminder[] {
    return [...(this.#byAgent.get(agent)?.values() ?? [])].sort((a, b) => compareBytes(a.name, b.name));
  }

  /** The reminders of all agents, those that are due next first. */
  inOrder(): Iterable<MemoryReminder> {
    return this.#due.inOrder();
  }

  namesOf(agent: string): Iterable<string> {
    return this.#byAgent.get(agent)?.keys() ?? [];
  }

  get count(): number {
    let count = 0;
    for (const ofAgent of this.#byAgent.values()) count += ofAgent.size;
    return count;
  }

  /** Sets a reminder in place of one of the same name. `agent`: the text of its agent. */
  set(agent: string, reminder: Omit<StoredReminder, "seq">): number {
    const freed = this.remove(agent, reminder.name);
    const ofAgent = this.#byAgent.get(agent) ?? new Map<string, MemoryReminder>();
    this.#byAgent.set(agent, ofAgent);
    this.#lastSeq += 1;
    const { name, dueMs, rule, attempts } = reminder;
    const message = new Uint8Array(reminder.message);
    const stored = {
      ...{ agent: copyOf(reminder.agent), name, dueMs, rule, message, seq: this.#lastSeq, attempts },
      ...{ dueOrder: this.#lastSeq, duePlace: -1 },
    };
    ofAgent.set(name, stored);
    this.#due.add(stored);
    return freed + sizeOfReminder(agent, stored);
  }

  /** Writes what became of a reminder, unless it is another one by now. */
  settle(agent: string, { name, seq, nextDueMs, attempts, rule }: ReminderTick): number {
    const reminder = this.#byAgent.get(agent)?.get(name);
    if (reminder?.seq !== seq) return 0;
    if (nextDueMs === undefined) return this.remove(agent, name);
    return this.set(agent, { ...reminder, dueMs: nextDueMs, attempts, rule: rule ?? reminder.rule });
  }

  remove(agent: string, name: string): number {
    const ofAgent = this.#byAgent.get(agent);
    const stored = ofAgent?.get(name);
    if (ofAgent === undefined || stored === undefined) return 0;
    ofAgent.delete(name);
    this.#due.remove(stored);
    if (ofAgent.size === 0) this.#byAgent.delete(agent);
    return -sizeOfReminder(agent, stored);
  }

  removeAll(agent: string): number {
    return [...this.namesOf(agent)].reduce((sum, name) => sum + this.remove(agent, name), 0);
  }
}

function copyOf({ type, key }: AgentName): AgentName {
  return { type, key };
}
