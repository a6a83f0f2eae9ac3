import { errorText } from "../core/internal.ts";

/** What went wrong, on one line for a terminal. */
export function oneLine(error: unknown): string {
  return errorText(error).replace(/\s*\n\s*/g, " ");
}
