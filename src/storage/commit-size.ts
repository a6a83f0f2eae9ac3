import type { Commit } from "../core/internal.ts";

/** Bytes of an object and its fields, beside texts and data. */
const objectBytes = 200;

/** Returns about how many bytes a commit has while it waits. */
export function sizeOfCommit({ agent, write, reminders, mail, remembered }: Commit): number {
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
  return bytes;
}
