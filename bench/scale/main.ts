// `npm run bench -- scale [--only CURVE] [--most N] [--rounds 5] [--seconds 1] [--warm-up 1]`
// Measures a host's throughput, latency and memory as sessions, types, topics or agents grow.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { medianOf } from "../support/comparison.ts";
import { measureInterleaved, type Series } from "../support/interleaved-rounds.ts";
import { growthPlot } from "../support/plot.ts";
import { writeResults } from "../support/results-file.ts";
import { type Curve, curves, pointsOf } from "./curves.ts";
import { printGrowth } from "./print-growth.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    most: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1" },
    "warm-up": { type: "string", default: "1" },
  },
});
const load = { perSession: 16, inAll: 160, modest: 16 };
const plan = {
  loads: [load],
  loadText: () => "",
  rounds: Number(values.rounds),
  secondsPerRound: Number(values.seconds),
  warmUpSeconds: Number(values["warm-up"]),
};

const results: { readonly curve: Curve; readonly series: readonly Series[] }[] = [];
for (const curve of curves.filter(({ name }) => name.includes(values.only))) {
  const onRound = (text: string) => console.error(`${curve.name}: ${text}`);
  const measured = await measureInterleaved(pointsOf(curve, Number(values.most)), { ...plan, onRound });
  const series = measured.map(({ contender, rounds }) => ({ contender: curve.name, load: contender, rounds }));
  printGrowth(curve, series);
  results.push({ curve, series });
}

const figures = {
  plan: { ...load, rounds: plan.rounds, secondsPerRound: plan.secondsPerRound },
  curves: results.map(({ curve: { name, title, axis, panels } }) => ({ name, title, axis, panels })),
  series: results.flatMap(({ series }) => series),
};
const file = writeResults("scale", figures);
console.log(`figures: ${file}`);
for (const { curve, series } of results) {
  const plot = file.replace(/\.json$/, ` ${curve.name}.svg`.replaceAll(" ", "-"));
  writeFileSync(plot, growthPlot(curve, series.map(pointOf)));
  console.log(`plot: ${plot}`);
}

function pointOf(series: Series) {
  const names = Object.keys(series.rounds[0] ?? {});
  const medians = names.map((name) => [name, medianOf(series, name) ?? Number.NaN] as const);
  return { at: Number(series.load), figures: Object.fromEntries(medians) };
}
