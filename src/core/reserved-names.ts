import { type ErrorCode, TroupeError } from "./errors.ts";
import { quoted } from "./validation/option-values.ts";

/** Agent types, topic types and names of reminders that begin so belong to Troupe. */
const reservedPrefix = "troupe.";
/** Message types that begin so belong to Troupe. */
const reservedMessagePrefix = "Troupe";

type NameKind = "agent type" | "topic type" | "reminder name";

/** Whether a name is one of Troupe's own. */
export function isReserved(name: string): boolean {
  return name.startsWith(reservedPrefix);
}

/** Returns the reason why a name can't be used: it is one of Troupe's own. Undefined: it is not. `what`: the kind of name, for the text. */
export function whyReserved(what: NameKind, name: string): string | undefined {
  return isReserved(name) ? reservedText(what, name, reservedPrefix) : undefined;
}

/** Throws `invalid-argument` for a name of Troupe's own. `what`: the kind of name, for the text. */
export function assertNotReserved(what: NameKind, name: string): void {
  const reason = whyReserved(what, name);
  if (reason !== undefined) throw new TroupeError("invalid-argument", reason);
}

/** Returns the error for a message type of Troupe's own. Undefined: it is not. `code`: of the error. */
export function reservedMessageType(typeName: string, code: ErrorCode): TroupeError | undefined {
  if (!typeName.startsWith(reservedMessagePrefix)) return undefined;
  return new TroupeError(code, reservedText("message type", typeName, reservedMessagePrefix));
}

function reservedText(what: string, name: string, prefix: string): string {
  return `The ${what} ${quoted(name)} is reserved: names that begin with ${prefix} belong to Troupe. Choose another name.`;
}
