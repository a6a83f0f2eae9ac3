import type { Clock, MakeId } from "../clock.ts";
import { formatRule, ruleOf } from "../courier/reminders/reminder-rule.ts";
import type { ReminderChange } from "../state/state-store.ts";
import { ownReminderPrefix } from "../state/store-limits.ts";
import { ContinueRuns } from "./run-messages.ts";

/** The name of the reminder that asks an agent for its unfinished runs. */
export const runReminderName = `${ownReminderPrefix}runs`;

// protocol.md §11.24
/** Makes the change of the reminder that asks an agent for its unfinished runs. `encode`: makes a call to the agent, as it is kept. */
export function runReminder(
  isSet: boolean,
  { clock, makeId }: { readonly clock: Clock; readonly makeId: MakeId },
  encode: (name: string, message: ContinueRuns) => Uint8Array,
): ReminderChange {
  const name = runReminderName;
  if (!isSet) return { at: "cancel", name };
  const rule = { ...ruleOf({ every: "15s" }, {}, clock.wallNow(), undefined), setId: makeId() };
  return { at: "set", name, dueMs: rule.dueMs, rule: formatRule(rule), message: encode(name, ContinueRuns({})) };
}
