import {
  type AgentName,
  type ErrorCode,
  errorText,
  ownReminderPrefix,
  type ReminderRule,
  readStoredRule,
  runReminderName,
  storeLimits,
  TroupeError,
} from "../../core/internal.ts";
import { type CommitAsk, peekFrame } from "../../protocol/internal.ts";

/** The reason for which a host keeps no commit. */
export interface EffectsRefusal {
  readonly code: ErrorCode;
  readonly text: string;
}

/**
 * Says why the reminders of a commit can't be kept; workers are not trusted to have checked. Else returns the rules with cron patterns,
 * which it has not read.
 */
export function readRules({
  agent,
  reminders,
}: Pick<CommitAsk, "agent" | "reminders">): EffectsRefusal | readonly ReminderRule[] {
  const withCron: ReminderRule[] = [];
  for (const change of reminders) {
    if (change.name.length === 0 || change.name.length > storeLimits.reminderNameCharacters) {
      return invalid(`The name of a reminder must be a text of 1 to ${storeLimits.reminderNameCharacters} characters.`);
    }
    const isReserved = change.name.startsWith(ownReminderPrefix) && change.name !== runReminderName;
    if (isReserved) return invalid("The name of the reminder is reserved.");
    if (change.at === "cancel") continue;
    if (!isCallTo(agent, change.message)) return invalid("The message of a reminder is not a call to its agent.");
    try {
      const rule = readStoredRule(change.rule, change.dueMs);
      if (rule.repeats.at === "cron") withCron.push(rule);
    } catch (error) {
      return badRule(error);
    }
  }
  return withCron;
}

/** The refusal of a reminder with a rule that can't be read. */
export function badRule(error: unknown): EffectsRefusal {
  const code = error instanceof TroupeError ? error.code : "invalid-argument";
  return { code, text: `The host can't keep the reminder: ${errorText(error)}` };
}

function isCallTo({ type, key }: AgentName, message: Uint8Array): boolean {
  const frame = peekFrame(message);
  return frame.kind === "request" && frame.targetType === type && frame.targetKey === key;
}

function invalid(text: string): EffectsRefusal {
  return { code: "invalid-message", text };
}
