import { sizeOfRunChange } from "../../../core/internal.ts";
import type { HostAsk } from "./state-stream.ts";

// Measured on Node 20: a load that waits has 427 bytes, and a commit of a state and an answer has 1,206.
/** Bytes of an ask beside names and data. */
const askBytes = 400;
/** Bytes of a commit beside names, data and what leaves with it. */
const commitBytes = 800;
/** Bytes of one part of a commit beside its texts and data. */
const objectBytes = 200;

/** Returns about how many bytes an ask has in memory until its answer comes. */
export function sizeOfAsk(ask: HostAsk): number {
  const { agent } = ask;
  const named = 2 * (agent.type.length + agent.key.length);
  if (ask.kind !== "commit") return askBytes + named;
  const { write, answers, events, mail, reminders, remembered, runs } = ask;
  let bytes = commitBytes + named;
  if (write.at === "put") bytes += objectBytes + write.data.length;
  for (const one of answers) bytes += objectBytes + one.length;
  for (const one of events) bytes += objectBytes + one.length;
  for (const { id, message } of mail) bytes += objectBytes + 2 * id.length + message.length;
  for (const change of reminders) {
    bytes += objectBytes + 2 * change.name.length;
    if (change.at === "set") bytes += 2 * change.rule.length + change.message.length;
  }
  for (const { id, principal, answer } of remembered) {
    bytes += objectBytes + 2 * (id.length + principal.length) + (answer?.length ?? 0);
  }
  for (const change of runs) bytes += objectBytes + sizeOfRunChange(change, objectBytes);
  return bytes;
}
