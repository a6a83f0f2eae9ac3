// `npm run fuzz -- [--seconds N] [--seed S] [--from N] [--inputs N]`: mutated frames and streams against the generated code.
import { parseArgs } from "node:util";
import { runCampaign } from "./campaign.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    from: { type: "string", default: "0" },
    inputs: { type: "string", default: "Infinity" },
  },
});
const seed = Number(values.seed);
const inputs = Number(values.inputs);
const endMs = performance.now() + Number(values.seconds) * 1_000;

const { tried, finding } = runCampaign({
  seed,
  from: Number(values.from),
  goesOn: (count) => count < inputs && performance.now() < endMs,
});
console.log(`fact: ${tried} mutated inputs tried against the generated code (seed ${seed})`);
if (finding !== undefined) {
  const { what, input, error, number } = finding;
  console.error(`A ${what} was read wrongly. Again: npm run fuzz -- --seed ${seed} --from ${number} --inputs 1`);
  console.error(Buffer.from(input).toString("hex"));
  console.error(error);
  process.exitCode = 1;
}
