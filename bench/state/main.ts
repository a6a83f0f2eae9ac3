// `npm run bench -- state [PART …] [--rounds N] [--seconds N] [--warm-up N] [--only TEXT] [--loads TEXT] [--agents N]`
// Measures what the states of agents cost. Without a part it runs all. A part says which options it knows, and prints its goals.
import { printGoals } from "../summary/goals.ts";
import { measureBeside } from "./beside/measure-beside.ts";
import { measureCalls } from "./calls/measure-calls.ts";
import { measureRecipients } from "./calls/measure-recipients.ts";
import { measureMemory } from "./memory/measure-memory.ts";
import { measureMillion } from "./million/measure-million.ts";
import { type Part, readParts, timedOptions } from "./part-options.ts";
import { measurePlaces } from "./places/measure-places.ts";
import { measureReminders } from "./reminders/measure-reminders.ts";
import { measureStores } from "./stores/measure-stores.ts";

const parts: Readonly<Record<string, Part>> = {
  stores: { knows: timedOptions, measure: measureStores },
  calls: { knows: timedOptions, measure: measureCalls },
  recipients: { knows: timedOptions, measure: measureRecipients },
  reminders: { knows: ["rounds", "only", "loads"], measure: measureReminders },
  places: { knows: ["rounds", "only", "agents"], measure: measurePlaces },
  memory: { knows: ["rounds", "only", "loads", "agents"], measure: measureMemory },
  beside: { knows: timedOptions, measure: measureBeside },
  million: { knows: ["agents"], measure: measureMillion },
};

const { chosen, options } = readOrExit();
for (const [name, { measure }] of chosen) {
  console.log(`\n--- ${name}\n`);
  const startMs = performance.now();
  await measure(options);
  console.log(`took ${Math.round((performance.now() - startMs) / 1_000)} s`);
  printGoals(`state-${name}`);
}

function readOrExit(): ReturnType<typeof readParts> {
  try {
    return readParts(process.argv.slice(2), parts);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(64);
  }
}
