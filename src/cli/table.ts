import { loggableUpTo } from "../core/internal.ts";

/** The longest text of a column, in characters. The key of an agent fits. */
const longestCell = 1_024;

/** Formats rows as columns for a terminal, under their names; numbers stand at the right. Control characters are escaped. */
export function formatTable(names: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const all = [names, ...rows].map((row) => row.map((cell) => loggableUpTo(longestCell, String(cell))));
  const widths = names.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const isNumber = names.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === "number"));
  return all
    .map((row) =>
      row
        .map((cell, at) => (isNumber[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
