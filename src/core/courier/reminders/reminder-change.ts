import { TroupeError } from "../../errors.ts";
import { assertNotReserved } from "../../reserved-names.ts";
import type { ReminderChange, StoredReminder } from "../../state/state-store.ts";
import { ownReminderPrefix, storeLimits } from "../../state/store-limits.ts";
import { isWellFormed, wrongValue } from "../../validation/option-values.ts";
import { parseRule } from "./reminder-rule.ts";
import type { ReminderInfo } from "./when.ts";

/** Checks the name of a reminder that a user names. Throws `invalid-argument`. */
export function assertReminderName(name: unknown): asserts name is string {
  const { reminderNameCharacters: most } = storeLimits;
  // A store would keep another text for half of a surrogate pair: two names would be one.
  if (typeof name !== "string" || name.length === 0 || name.length > most || !isWellFormed(name)) {
    throw wrongValue(
      `The name of a reminder must be a text of 1 to ${most} characters without half of a surrogate pair`,
      name,
    );
  }
  assertNotReserved("reminder name", name);
}

/** Checks the length of a reminder's message as it is stored. Throws `message-too-large`. */
export function assertReminderLength(frame: Uint8Array): void {
  const { reminderMessageBytes: most } = storeLimits;
  if (frame.length <= most) return;
  const text = `The message of the reminder has ${frame.length} bytes with its envelope, and may have ${most}.`;
  throw new TroupeError("message-too-large", `${text} Keep what it is about in the agent's state.`);
}

/** Returns the reminders that an agent has when the changes of its turn are written, by name, without those of Troupe. */
export function reminderInfos(
  stored: readonly StoredReminder[],
  changes: readonly ReminderChange[],
): readonly ReminderInfo[] {
  const rules = new Map(stored.map(({ name, rule }) => [name, rule]));
  for (const change of changes) {
    rules.delete(change.name);
    if (change.at === "set") rules.set(change.name, change.rule);
  }
  return [...rules]
    .filter(([name]) => !name.startsWith(ownReminderPrefix))
    .map(([name, rule]) => infoOf(name, rule))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function infoOf(name: string, text: string): ReminderInfo {
  const { dueMs, repeats, missed } = parseRule(text);
  const dueAt = new Date(dueMs);
  switch (repeats.at) {
    case "once":
      return { name, dueAt, repeats: undefined, missed };
    case "every":
      return { name, dueAt, repeats: { everyMs: repeats.periodMs }, missed };
    case "cron":
      return { name, dueAt, repeats: { cron: repeats.pattern, timeZone: repeats.timeZone }, missed };
  }
}
