// `npm run bench -- in-process [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures messages within one process, through SingleThreadedAgentRuntime.
import { compare } from "../support/comparing.ts";
import { ratioOf } from "../support/comparison.ts";
import { formatNumber } from "../support/table.ts";
import { baseline, createContenders, type InProcessLoad, limited, plain } from "./contenders.ts";

const loads: readonly InProcessLoad[] = [
  { kind: "send", inFlight: 1 },
  { kind: "send", inFlight: 64 },
  { kind: "publish", agents: 1 },
  { kind: "publish", agents: 32 },
];

const series = await compare({
  benchmark: "in-process",
  title: "messages in process, each of 100 bytes",
  unit: "handled/s",
  contenders: createContenders(),
  baseline,
  loads,
  loadText,
});

for (const one of series.filter(({ contender }) => contender === plain)) {
  const other = series.find(({ contender, load }) => contender === limited && load === one.load);
  const ratio = other && ratioOf(one, other);
  if (ratio !== undefined) console.log(`${one.load}: ${formatNumber(ratio)}× the rate with a time limit (goal: 1.3)`);
}

function loadText(load: InProcessLoad): string {
  if (load.kind === "send") return `sends, ${load.inFlight} in flight`;
  return load.agents === 1 ? "publishes to 1 agent" : `publishes to ${load.agents} agents`;
}
