import {
  type AgentName,
  type Clock,
  type ReminderChange,
  type ReminderTickInfo,
  withdrawsTick,
} from "../../core/internal.ts";

/** The last change of one reminder. */
interface Changed {
  readonly change: ReminderChange;
  readonly atMs: number;
  readonly bytes: number;
}

/** A tick that the host has sent before a change comes within this time, in milliseconds, or was lost. */
const rememberedMs = 60_000;
/** Bytes of all changes. Beyond it the oldest go. */
const mostBytes = 1024 * 1024;
/** An entry of the table, beside its names. */
const entryBytes = 200;

/**
 * The reminders that agents of this worker have cancelled or set again lately. A tick that the host had sent before may come after the
 * outcome of the change, which takes another stream.
 */
export class ChangedReminders {
  readonly #clock: Clock;
  /** The oldest first. */
  readonly #changed = new Map<string, Changed>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(agent: AgentName, changes: readonly ReminderChange[]): void {
    for (const change of changes) {
      const key = keyOf(agent, change.name);
      this.#forget(key);
      const bytes = entryBytes + 2 * key.length;
      // The message of a reminder is of no use here.
      const { at, name } = change;
      const known: ReminderChange = at === "cancel" ? { at, name } : { ...change, message: noBytes, rule: "" };
      this.#changed.set(key, { change: known, atMs: this.#clock.now(), bytes });
      this.#bytes += bytes;
    }
    for (const [key, { atMs }] of this.#changed) {
      if (this.#bytes <= mostBytes && this.#isFresh(atMs)) return;
      this.#forget(key);
    }
  }

  /** Whether a tick that comes now was withdrawn before. */
  withdraws(agent: AgentName, tick: ReminderTickInfo): boolean {
    if (this.#changed.size === 0) return false;
    const changed = this.#changed.get(keyOf(agent, tick.name));
    return changed !== undefined && this.#isFresh(changed.atMs) && withdrawsTick([changed.change], tick) === true;
  }

  clear(): void {
    this.#changed.clear();
    this.#bytes = 0;
  }

  #isFresh(atMs: number): boolean {
    return this.#clock.now() - atMs < rememberedMs;
  }

  #forget(key: string): void {
    this.#bytes -= this.#changed.get(key)?.bytes ?? 0;
    this.#changed.delete(key);
  }
}

const noBytes = new Uint8Array(0);

function keyOf({ type, key }: AgentName, name: string): string {
  return JSON.stringify([type, key, name]);
}
