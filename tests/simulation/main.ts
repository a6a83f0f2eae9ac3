// `npm run simulate`: plays seeds and says what they came to. Exit code 1 when one of them breaks a promise.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { playManyClusters, replayCluster } from "./cluster/main.ts";
import { failureText } from "./failure-text.ts";
import { makePlan } from "./make-plan.ts";
import { runInProcesses, runParted } from "./processes.ts";
import { runPlan } from "./run-plan.ts";
import { keepActions, shrink } from "./shrink.ts";
import { addReport, noTotals, type Totals, totalsText } from "./totals.ts";

const usage = `usage: npm run simulate -- [--seeds COUNT] [--from SEED] [--jobs COUNT] [--durable]   plays many seeds (default 2000, from 1)
       npm run simulate -- --seed SEED [--keep 0,4,7]                  replays one, with its trace
       --cluster with any of them                                      worlds of several hosts`;

/** Failures are told at length only so many times. */
const maxFailuresTold = 3;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    keep: { type: "string" },
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: String(Math.min(4, availableParallelism())) },
    cluster: { type: "boolean", default: false },
    /** There are persistent agents in each world, and what is told goes by durable events. */
    durable: { type: "boolean", default: false },
    /** Of a helper process: the totals as JSON in the last line. */
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const planOptions = values.durable ? { always: [], tellsByEvents: true } : {};

if (values.help) console.log(usage);
else if (values.cluster) await playCluster();
else if (values.seed !== undefined) await replay(numberOf(values.seed), values.keep);
else await playMany(numberOf(values.from), numberOf(values.seeds), numberOf(values.jobs));

async function playCluster(): Promise<void> {
  if (values.seed !== undefined) return replayCluster(numberOf(values.seed), values.keep);
  const [from, count, jobs] = [numberOf(values.from), numberOf(values.seeds), numberOf(values.jobs)];
  const runParts = <T>(first: number, length: number, add: (part: T) => void) =>
    runParted(first, length, { jobs, options: ["--cluster"], add });
  const isParted = jobs > 1 && count >= 200;
  await playManyClusters({ from, count, json: values.json, runParts: isParted ? runParts : undefined });
}

async function replay(seed: number, keep: string | undefined): Promise<void> {
  const whole = makePlan(seed, planOptions);
  const plan = keep === undefined ? whole : keepActions(whole, keep === "none" ? [] : keep.split(",").map(Number));
  const report = await runPlan(plan, { keepsLines: true });
  console.log(report.lines.join("\n"));
  const totals = noTotals();
  addReport(totals, report);
  console.log(`\n${totalsText(totals)}\ntrace ${report.hash}`);
  for (const { checker, text } of report.breaches) console.log(`[${checker}] ${text}`);
  if (report.breaches.length > 0) process.exitCode = 1;
}

async function playMany(from: number, count: number, jobs: number): Promise<void> {
  const startedMs = performance.now();
  const totals =
    jobs > 1 && count >= 200 ? await runInProcesses(from, count, jobs, values.durable) : await playHere(from, count);
  if (values.json) console.log(JSON.stringify(totals));
  else console.log(`${totalsText(totals)}\nin ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  if (totals.failedSeeds.length > 0) {
    process.exitCode = 1;
    if (!values.json) console.log(`failed: ${totals.failedSeeds.sort((one, other) => one - other).join(" ")}`);
  }
}

async function playHere(from: number, count: number): Promise<Totals> {
  const totals = noTotals();
  for (let seed = from; seed < from + count; seed += 1) {
    const plan = makePlan(seed, planOptions);
    const report = await runPlan(plan);
    addReport(totals, report);
    if (report.breaches.length === 0 || totals.failedSeeds.length > maxFailuresTold) continue;
    console.log(`${failureText(report, await shrink(plan, report))}\n`);
  }
  return totals;
}

function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  console.error(`"${text}" is not a whole number above 0\n${usage}`);
  process.exit(64);
}
