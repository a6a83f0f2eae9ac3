// `npm run bench -- limits [--only TEXT] [--rounds 5] [--seconds 2] [--topics 1000000]`
// Measures what the host's limits and tables cost with many entries. The host has its own process.
import { parseArgs } from "node:util";
import { writeResults } from "../support/results-file.ts";
import { measureStalledReader } from "./stalled-reader.ts";
import { measureDeparture, measureSubscribing, measureTopics } from "./tables.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    topics: { type: "string", default: "1000000" },
  },
});
const rounds = Number(values.rounds);

const measurements: { readonly [name: string]: () => Promise<object> } = {
  "one stalled reader under full event load (bound 32 MiB)": () =>
    measureStalledReader({ rounds, seconds: Number(values.seconds) }),
  "AddSubscription at 10,000 subscriptions and 10,000 seen topics": () => measureSubscribing(),
  "a client leaves with 10,000 subscriptions, or with 10,000 calls unanswered": () => measureDeparture({ rounds }),
  "a million different topics": () => measureTopics({ topics: Number(values.topics) }),
};

const figures: { [name: string]: object } = {};
for (const [name, measure] of Object.entries(measurements)) {
  if (!name.includes(values.only)) continue;
  const figure = await measure();
  figures[name] = figure;
  console.log(`${name}\n${JSON.stringify(figure, rounded, 2)}\n`);
}
console.log(`figures: ${writeResults("limits", { figures })}`);

function rounded(_name: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value;
}
