import { errorText } from "../core/internal.ts";

/** The text of an error on one line, for a terminal. */
export function oneLine(error: unknown): string {
  return errorText(error).replace(/\s*\n\s*/g, " ");
}
