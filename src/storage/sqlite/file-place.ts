import { statSync } from "node:fs";
import { dirname } from "node:path";
import { loggableText, StoreError } from "../../core/internal.ts";

/** Throws `unavailable` if no file can be at this place: its folder is missing, or a folder has the name. SQLite says neither. */
export function assertPlace(file: string): void {
  const folder = dirname(file);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new StoreError(
      "unavailable",
      `There is no folder ${loggableText(folder)} for ${loggableText(file)}. Make the folder, or name another file.`,
    );
  }
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new StoreError("unavailable", `${loggableText(file)} is a folder. Name a file in it.`);
  }
}
