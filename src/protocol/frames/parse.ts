import { errorText, TroupeError } from "../../core/internal.ts";

/** Runs a parse of bytes from the wire; whatever it throws becomes `invalid-message` naming what was being read. */
export function parsing<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new TroupeError("invalid-message", `Can't read ${what}: ${errorText(cause)}.`, { cause });
  }
}
