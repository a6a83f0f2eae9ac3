// `npm run bench -- hostile [--only TEXT] [--seconds 3] [--from 127.0.0.1,127.0.0.2]`
// Measures how long honest calls take without a flood and under each flood. Host, honest workers and attackers are processes of
// their own. The goal: a flood makes no call more than 250 ms longer.
import { parseArgs } from "node:util";
import { writeResults } from "../support/results-file.ts";
import { formatNumber, formatTable } from "../support/table.ts";
import { floods } from "./floods/all.ts";
import { type Measured, measureFlood } from "./measure-flood.ts";

const goalMs = 250;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "3" },
    // Other systems have one loopback address.
    from: { type: "string", default: process.platform === "linux" ? "127.0.0.1,127.0.0.2" : "127.0.0.1" },
  },
});

const figures: { [flood: string]: Measured } = {};
for (const [name, { needsTls = false }] of Object.entries(floods)) {
  if (needsTls || !name.includes(values.only)) continue;
  for (const from of values.from.split(",")) {
    const measured = await measureFlood(name, { seconds: Number(values.seconds), from });
    const { moreMs, failedCalls, lostConnections } = measured;
    figures[`${name}, from ${from}`] = measured;
    console.error(
      `${name}, from ${from}: ${formatNumber(moreMs)} ms more, ${failedCalls} failed, ${lostConnections} connections lost`,
    );
  }
}
console.log(`Honest calls under floods, ${values.seconds} s each\n`);
console.log(formatTable(header(), Object.entries(figures).map(row)));
console.log(`\nfigures: ${writeResults("hostile", { goalMs, figures })}`);

function header(): readonly string[] {
  return [
    "flood",
    "calls",
    "p50 ms",
    "p99",
    "max",
    "calm p50",
    "p99",
    "max",
    "ms more",
    `≤ ${goalMs}`,
    "failed",
    "lost",
  ];
}

function row([name, { calm, flooded, moreMs, failedCalls, lostConnections }]: [string, Measured]): readonly string[] {
  const numbers = [
    ...[flooded.calls, flooded.p50Ms, flooded.p99Ms, flooded.maxMs, calm.p50Ms, calm.p99Ms, calm.maxMs, moreMs],
  ].map(formatNumber);
  return [name, ...numbers, moreMs <= goalMs ? "yes" : "no", `${failedCalls}`, `${lostConnections}`];
}
