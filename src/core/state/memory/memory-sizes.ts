import { textOfName } from "../agent-name.ts";
import { chunkSize } from "../judge-runs.ts";
import type { Commit, RememberedMessage, StoredMail, StoredReminder } from "../state-store.ts";
import type { RunChange, RunCreation } from "../stored-runs.ts";

// Memory of an entry beside its names and bytes. Measured with 100 000 of each: 1,018 bytes for a record with an epoch, 738 for a reminder.
const recordBytes = 1_050;
const smallEntryBytes = 750;

/** Returns how many bytes a commit adds. `name`: that of its agent. */
export function addedBytes(name: string, { agent, write, reminders, mail, remembered, runs = [] }: Commit): number {
  let bytes = write.at === "put" ? sizeOfRecord(name, write.data) : 0;
  for (const change of reminders) if (change.at === "set") bytes += sizeOfReminder(name, change);
  for (const one of mail) {
    bytes += sizeOfMail({ ...one, sender: agent });
    if (one.isOnce === true) bytes += sizeOfMailId(mailIdName(textOfName(one.receiver), one.id).length);
  }
  for (const one of remembered) bytes += sizeOfRemembered(name, one);
  for (const change of runs) bytes += addedByChange(name, change);
  return bytes;
}

function addedByChange(agent: string, change: RunChange): number {
  if (change.at === "create") return sizeOfRun(agent, change);
  if (change.at === "append") return change.chunks.reduce((sum, { length }) => sum + chunkSize(length), 0);
  return change.at === "end" ? change.outcome.length : 0;
}

export function sizeOfRecord(name: string, data: Uint8Array): number {
  return recordBytes + 2 * name.length + data.length;
}

export function sizeOfReminder(
  agent: string,
  { name, rule, message }: Pick<StoredReminder, "name" | "rule" | "message">,
): number {
  return smallEntryBytes + 2 * (agent.length + name.length + rule.length) + message.length;
}

export function sizeOfRemembered(agent: string, { id, principal, answer }: RememberedMessage): number {
  return smallEntryBytes + 2 * (agent.length + id.length + principal.length) + (answer?.length ?? 0);
}

/** Of a run without its chunks and its outcome. */
export function sizeOfRun(
  agent: string,
  { id, principal, owner, message }: Pick<RunCreation, "id" | "principal" | "owner" | "message">,
): number {
  return smallEntryBytes + 2 * (agent.length + id.length + principal.length + owner.length) + message.length;
}

/** Returns one text for an id of a mailbox. No other id, of this or another mailbox, has the same. */
export function mailIdName(mailbox: string, id: string): string {
  return `${mailbox.length}:${mailbox}${id}`;
}

/** `length`: of the text that names the id and its mailbox. */
export function sizeOfMailId(length: number): number {
  return 150 + 2 * length;
}

export function sizeOfMail({
  id,
  receiver,
  sender,
  frame,
}: Pick<StoredMail, "id" | "receiver" | "sender" | "frame">): number {
  const names = id.length + receiver.type.length + receiver.key.length + sender.type.length + sender.key.length;
  return smallEntryBytes + 2 * names + frame.length;
}
