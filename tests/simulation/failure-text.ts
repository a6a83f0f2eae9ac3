import type { RunReport } from "./run-plan.ts";
import type { Shrunk } from "./shrink.ts";

const maxLines = 120;

/** What somebody needs to know about a seed that failed, and how to see it again. */
export function failureText(failure: RunReport, { kept, plan, report }: Shrunk): string {
  const shown = report.breaches.length > 0 ? report : failure;
  const lines = report.lines.filter((line) => !line.includes("/ping"));
  return [
    `Seed ${failure.seed} breaks ${failure.breaches.length === 1 ? "a promise" : `${failure.breaches.length} promises`}:`,
    ...shown.breaches.slice(0, 10).map(({ checker, text }) => `  [${checker}] ${text}`),
    `It takes ${kept.length} of its actions:`,
    ...plan.actions.map(({ atMs, action }) => `  at ${atMs} ms ${JSON.stringify(action)}`),
    `The trace (its last ${maxLines} of ${lines.length} lines):`,
    ...lines.slice(-maxLines).map((line) => `  ${line}`),
    `Replay it all:         npm run simulate -- --seed ${failure.seed}`,
    `Replay what it takes:  npm run simulate -- --seed ${failure.seed} --keep ${kept.join(",") || "none"}`,
  ].join("\n");
}
