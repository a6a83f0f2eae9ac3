import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { comparisons } from "../support/comparison.ts";
import { projectFolder } from "../support/project.ts";
import { readResults } from "../support/results-file.ts";
import { markdownTable } from "../support/table.ts";
import { goalHeader, goalRow, goals } from "./goals.ts";
import { comparedResults } from "./results.ts";
import { versionRows } from "./versions.ts";

const page = join(projectFolder, "docs", "performance.md");
const plots = ["sessions", "types", "sessions-and-types", "agents", "subscriptions", "topics"];

/** Puts the latest figures into docs/performance.md, each between its marks, and the growth plots beside it. The words there are ours. */
export function keepInPage(): void {
  let text = readFileSync(page, "utf8");
  for (const [name, content] of Object.entries(blocks(text))) {
    const pattern = marked(name);
    if (!pattern.test(text)) throw new Error(`docs/performance.md has no marks for the figures "${name}"`);
    if (content !== undefined)
      text = text.replace(pattern, (_, open: string, close: string) => `${open}\n${content}\n\n${close}`);
  }
  writeFileSync(page, text);
  keepPlots();
}

function marked(name: string): RegExp {
  return new RegExp(`(<!-- figures: ${name} -->\n)[^]*?(<!-- end -->)`);
}

/** Undefined: there are no results; what the page says stays. */
function blocks(text: string): Readonly<Record<string, string | undefined>> {
  const states = ["stores", "calls", "recipients", "reminders", "places", "memory", "beside"].map(
    (part) => `state-${part}`,
  );
  const cluster = ["calls", "workers", "events", "agents", "losses", "memory"].map((part) => `cluster-${part}`);
  const durable = ["alone", "cluster"].map((part) => `durable-${part}`);
  const compared = ["rpc", "events", "host-alone", "in-process", "start", "memory", ...states, ...cluster, ...durable];
  return {
    goals: markdownTable(
      goalHeader,
      goals.map((goal) => keptRow(text, goalRow(goal))),
    ),
    machine: machineBlock(),
    ...Object.fromEntries(compared.map((name) => [name, comparedBlock(name)])),
    limits: limitsBlock(),
  };
}

/** Returns the row of the page instead of one that this machine has no results for. */
function keptRow(text: string, row: readonly string[]): readonly string[] {
  const [what, against, goal, measured] = row;
  if (measured !== "not measured") return row;
  const start = `| ${[what, against, goal].join(" | ")} | `;
  const line = text.split("\n").find((line) => line.startsWith(start));
  return line === undefined ? row : line.slice(2, -2).split(" | ");
}

function comparedBlock(benchmark: string): string | undefined {
  const results = comparedResults(benchmark);
  if (results === undefined) return undefined;
  const { plan, series, absent } = results;
  const length = plan.secondsPerRound === 0 ? "" : ` of ${plan.secondsPerRound} s`;
  const tables = comparisons(series, results).map(({ header, rows }) => markdownTable(header, rows));
  const missing = absent.map((name) => `Absent: ${name}.`);
  return [`${plan.rounds} rounds${length}, ${results.measuredAt.slice(0, 10)}.`, ...missing, ...tables].join("\n\n");
}

function machineBlock(): string | undefined {
  const results = readResults("rpc");
  if (results === undefined) return undefined;
  const { cpu, cores, memoryGiB, system, node } = results.machine;
  const machine = [
    ["date", results.measuredAt.slice(0, 10)],
    ["machine", `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${system}, virtual and shared`],
    ["Node", node],
  ];
  return markdownTable(["", ""], [...machine, ...versionRows()]);
}

function limitsBlock(): string | undefined {
  const figures = readResults("limits")?.figures;
  if (figures === undefined) return undefined;
  const rounded = (_: string, value: unknown) =>
    typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value;
  return `\`\`\`json\n${JSON.stringify(figures, rounded, 2)}\n\`\`\``;
}

function keepPlots(): void {
  const folder = join(projectFolder, "docs", "performance");
  mkdirSync(folder, { recursive: true });
  for (const plot of plots) {
    const drawn = join(projectFolder, "bench", "results", `scale-${plot}.svg`);
    if (existsSync(drawn)) copyFileSync(drawn, join(folder, `${plot}.svg`));
  }
}
