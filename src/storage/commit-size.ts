import type { Commit, RunChange } from "../core/internal.ts";

/** Bytes of an object and its fields, beside texts and data. */
const objectBytes = 200;

/** Returns about how many bytes a commit has while it waits. */
export function sizeOfCommit({ agent, write, reminders, mail, remembered, runs = [] }: Commit): number {
  let bytes = objectBytes + 2 * (agent.type.length + agent.key.length);
  if (write.at === "put") bytes += write.data.length + 2 * write.contentType.length;
  for (const change of reminders) {
    bytes += objectBytes + 2 * change.name.length;
    if (change.at === "set") bytes += 2 * change.rule.length + change.message.length;
  }
  for (const { id, receiver, frame } of mail) {
    bytes += objectBytes + 2 * (id.length + receiver.type.length + receiver.key.length) + frame.length;
  }
  for (const { id, principal, answer } of remembered) {
    bytes += objectBytes + 2 * (id.length + principal.length) + (answer?.length ?? 0);
  }
  for (const change of runs) bytes += sizeOfRunChange(change);
  return bytes;
}

function sizeOfRunChange(change: RunChange): number {
  const bytes = objectBytes + 2 * change.id.length;
  switch (change.at) {
    case "create":
      return bytes + 2 * (change.principal.length + change.owner.length) + change.message.length;
    case "append":
      return change.chunks.reduce((sum, { length }) => sum + objectBytes + length, bytes);
    case "end":
      return bytes + change.outcome.length;
    default:
      return bytes;
  }
}
