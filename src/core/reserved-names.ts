import { TroupeError } from "./errors.ts";
import { quoted } from "./validation/option-values.ts";

/** Agent types, topic types and names of reminders that begin so belong to Troupe. */
const reservedPrefix = "troupe.";

/** Whether a name is one of Troupe's own. */
export function isReserved(name: string): boolean {
  return name.startsWith(reservedPrefix);
}

/** Throws `invalid-argument` for a name of Troupe's own. `what`: the kind of name, for the text. */
export function assertNotReserved(what: "agent type" | "topic type" | "reminder name", name: string): void {
  if (!isReserved(name)) return;
  const text = `The ${what} ${quoted(name)} is reserved: names that begin with ${reservedPrefix} belong to Troupe.`;
  throw new TroupeError("invalid-argument", `${text} Choose another name.`);
}
