import type { CourierSlots, SlotUse } from "../courier-slots.ts";
import type { KnownReminder } from "./known-reminders.ts";

/** The parts of `ReminderSlots`. */
export interface ReminderSlotsParts {
  readonly slots: CourierSlots;
  /** An agent that had no slot may try again. */
  readonly onTurn: (agentKey: string) => void;
}

/** Agents of one type that wait for a slot, the first first. */
interface Slotless {
  readonly agentKeys: Set<string>;
  /** Whether one of them is in the line for a slot. */
  isWaiting: boolean;
}

/** Takes slots for reminders. One agent of each type is in the line for a slot, for all of them. */
export class ReminderSlots {
  readonly #parts: ReminderSlotsParts;
  /** Agents by type, which wait for a slot: their reminders are behind. */
  readonly #slotless = new Map<string, Slotless>();

  constructor(parts: ReminderSlotsParts) {
    this.#parts = parts;
  }

  /** Takes a slot, or lines up behind those of the type that wait for one. */
  take({ agentKey, stored }: KnownReminder, use: SlotUse): boolean {
    const { type } = stored.agent;
    const slotless = this.#slotless.get(type);
    if (slotless?.isWaiting !== true) {
      if (this.#parts.slots.take(use, () => this.#granted(type, use))) return true;
    }
    if (slotless === undefined) this.#slotless.set(type, { agentKeys: new Set([agentKey]), isWaiting: true });
    else {
      slotless.isWaiting = true;
      slotless.agentKeys.add(agentKey);
    }
    return false;
  }

  free(use: SlotUse): void {
    this.#parts.slots.free(use);
  }

  isWaiting(agentType: string, agentKey: string): boolean {
    return this.#slotless.get(agentType)?.agentKeys.has(agentKey) === true;
  }

  /** The agent has no reminder that waits for a slot any more. */
  forget(agentType: string, agentKey: string): void {
    this.#slotless.get(agentType)?.agentKeys.delete(agentKey);
  }

  /** A slot is free for a type: its agents go on until one is refused again. */
  #granted(agentType: string, use: SlotUse): void {
    // Another reminder may be the first by now.
    this.#parts.slots.free(use);
    const slotless = this.#slotless.get(agentType);
    if (slotless === undefined) return;
    slotless.isWaiting = false;
    for (const agentKey of slotless.agentKeys) {
      slotless.agentKeys.delete(agentKey);
      this.#parts.onTurn(agentKey);
      if (slotless.isWaiting) return;
    }
    this.#slotless.delete(agentType);
  }
}
