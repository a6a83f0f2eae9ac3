import type { AgentName } from "./agent-name.ts";
import { compareEpochs, type Epoch } from "./epoch.ts";
import { runLimitOver } from "./judge-runs.ts";
import type { Commit, CommitOutcome } from "./state-store.ts";
import { ownReminderPrefix, storeLimits } from "./store-limits.ts";

/** The version of a record with which a store compares a commit. */
export interface StoredVersion {
  readonly eTag: string;
  readonly revision: number;
  readonly epoch: Epoch | undefined;
}

/** Compares a commit with what is stored. Undefined: it may be written. */
export function judgeCommit({ epoch, expected }: Commit, stored: StoredVersion | undefined): CommitOutcome | undefined {
  if (epoch !== undefined && stored?.epoch !== undefined && compareEpochs(stored.epoch, epoch) > 0) {
    return { at: "stale", epoch: stored.epoch };
  }
  switch (expected.at) {
    case "anything":
      return undefined;
    case "nothing":
      return stored === undefined ? undefined : { at: "conflict", eTag: stored.eTag };
    case "version":
      return stored?.eTag === expected.eTag ? undefined : { at: "conflict", eTag: stored?.eTag };
  }
}

/** Returns a commit without the mail of these indexes. */
export function withoutMail(commit: Commit, indexes: readonly number[]): Commit {
  if (indexes.length === 0) return commit;
  const leftOut = new Set(indexes);
  return { ...commit, mail: commit.mail.filter((_, index) => !leftOut.has(index)) };
}

/** Names the limit that a commit is over by itself, whatever is stored. Undefined: none. */
export function limitOver(commit: Commit, maxValueBytes: number, maxNameCharacters: number): string | undefined {
  const { agent, write, reminders, mail, remembered } = commit;
  const isTooLong = ({ type, key }: AgentName) => type.length > maxNameCharacters || key.length > maxNameCharacters;
  if (isTooLong(agent) || mail.some(({ receiver }) => isTooLong(receiver)))
    return `${maxNameCharacters} characters of a type or a key`;
  if (write.at === "put" && write.data.length > maxValueBytes) return `${maxValueBytes} bytes of one agent's state`;
  if (mail.some(({ frame }) => frame.length > maxValueBytes)) return `${maxValueBytes} bytes of a message`;
  for (const reminder of reminders) {
    if (reminder.name.length > storeLimits.reminderNameCharacters) {
      return `${storeLimits.reminderNameCharacters} characters of a reminder's name`;
    }
    if (reminder.at === "set" && reminder.message.length > storeLimits.reminderMessageBytes) {
      return `${storeLimits.reminderMessageBytes} bytes of a reminder's message`;
    }
  }
  if (remembered.some(({ answer }) => answer !== undefined && answer.length > storeLimits.answerBytes)) {
    return `${storeLimits.answerBytes} bytes of a remembered answer`;
  }
  return runLimitOver(commit, maxValueBytes);
}

/** Names the limit if a commit leaves an agent more reminders than it may have. `names`: those it has, if the commit deletes nothing. */
export function remindersOver({ write, reminders }: Commit, names: Iterable<string>): string | undefined {
  if (!reminders.some(({ at }) => at === "set")) return undefined;
  const left = new Set(write.at === "delete" ? [] : names);
  for (const { at, name } of reminders) {
    if (at === "set") left.add(name);
    else left.delete(name);
  }
  const counted = [...left].filter((name) => !name.startsWith(ownReminderPrefix)).length;
  return counted > storeLimits.reminders ? `${storeLimits.reminders} reminders of one agent` : undefined;
}
