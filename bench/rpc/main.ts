// npm run bench -- rpc [--rounds 5] [--seconds 2] [--warm-up 1] [--in-flight 1,64] [--only TEXT]
// Calls through a host: three processes (host, caller, target), payloads of 100 bytes, ours beside AutoGen's Python.
import { parseArgs } from "node:util";
import { printComparison } from "../support/comparison.ts";
import { measureInterleaved } from "../support/interleaved-rounds.ts";
import { writeResults } from "../support/results-file.ts";
import { createContenders } from "./contenders.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    "warm-up": { type: "string", default: "1" },
    "in-flight": { type: "string", default: "1,64" },
    only: { type: "string", default: "" },
  },
});
const plan = {
  loads: values["in-flight"].split(",").map(Number),
  rounds: Number(values.rounds),
  secondsPerRound: Number(values.seconds),
  warmUpSeconds: Number(values["warm-up"]),
};

const contenders = createContenders().filter((contender) => contender.name.includes(values.only));
const present = contenders.filter((contender) => contender.absent === undefined);
const absent = contenders.filter((contender) => contender.absent !== undefined);
console.log(`calls through a host, ${plan.rounds} interleaved rounds of ${plan.secondsPerRound} s\n`);
const series = await measureInterleaved(present, { ...plan, onRound: (text) => console.error(text) });

printComparison(series, { unit: "calls/s", loadText: (inFlight) => `${inFlight} in flight` });
for (const { name, absent: reason } of absent) console.log(`absent: ${name} (${reason})`);
console.log(`\nfigures: ${writeResults("rpc", { plan, series, absent: absent.map(({ name }) => name) })}`);
