// `npm run bench -- state [PART …] [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures what the states of agents cost. Parts: stores, calls, reminders, places, memory, beside, million.
// Without a part it runs all. `million` takes `--agents 1000000`.
import { measureBeside } from "./beside/measure-beside.ts";
import { measureCalls } from "./calls/measure-calls.ts";
import { measureMemory } from "./memory/measure-memory.ts";
import { measureMillion } from "./million/measure-million.ts";
import { measurePlaces } from "./places/measure-places.ts";
import { measureReminders } from "./reminders/measure-reminders.ts";
import { measureStores } from "./stores/measure-stores.ts";

const parts: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  stores: measureStores,
  calls: measureCalls,
  reminders: measureReminders,
  places: measurePlaces,
  memory: measureMemory,
  beside: measureBeside,
  million: measureMillion,
};

const args = process.argv.slice(2);
const named = args.filter((arg) => arg in parts);
const options = args.filter((arg) => !(arg in parts));
for (const [part, measure] of Object.entries(parts)) {
  if (named.length > 0 && !named.includes(part)) continue;
  console.log(`\n--- ${part}\n`);
  await measure(options);
}
