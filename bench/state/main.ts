// `npm run bench -- state [PART …] [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures what the states of agents cost. Parts: stores, calls. Without a part it runs all.
import { measureCalls } from "./calls/measure-calls.ts";
import { measureStores } from "./stores/measure-stores.ts";

const parts: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  stores: measureStores,
  calls: measureCalls,
};

const args = process.argv.slice(2);
const named = args.filter((arg) => arg in parts);
const options = args.filter((arg) => !(arg in parts));
for (const [part, measure] of Object.entries(parts)) {
  if (named.length > 0 && !named.includes(part)) continue;
  console.log(`\n--- ${part}\n`);
  await measure(options);
}
