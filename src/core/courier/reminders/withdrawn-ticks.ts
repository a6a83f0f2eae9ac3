import { UndeliverableException } from "../../errors.ts";
import type { ReminderChange } from "../../state/state-store.ts";
import type { ReminderTickInfo } from "./when.ts";

/**
 * Whether changes of reminders withdraw a tick: its reminder was cancelled, or set again. The last change of the reminder decides. The
 * first tick of the reminder as it is set now may come before its commit is decided here. That one is not withdrawn.
 * Undefined: no change is about its reminder.
 */
export function withdrawsTick(
  changes: readonly ReminderChange[],
  { name, dueAt }: Pick<ReminderTickInfo, "name" | "dueAt">,
): boolean | undefined {
  const change = changes.findLast((one) => one.name === name);
  if (change === undefined) return undefined;
  return change.at === "cancel" || dueAt.getTime() < change.dueMs;
}

/** The error of a tick that was withdrawn. The courier knows that by then, and sends it no more. */
export function tickWithdrawn(): UndeliverableException {
  const text = "The reminder was cancelled or set again before its tick had its turn.";
  return new UndeliverableException(text, { notHandled: true });
}
