// `npm run bench -- state [PART …] [--rounds N] [--seconds N] [--warm-up N] [--only TEXT] [--loads TEXT] [--agents N]`
// Measures what the states of agents cost. Without a part it runs all. A part says which options it knows, and prints its goals.

import { runParts } from "../summary/run-parts.ts";
import { timedOptions } from "../support/part-options.ts";
import { measureBeside } from "./beside/measure-beside.ts";
import { measureCalls } from "./calls/measure-calls.ts";
import { measureRecipients } from "./calls/measure-recipients.ts";
import { measureMemory } from "./memory/measure-memory.ts";
import { measureMillion } from "./million/measure-million.ts";
import { measurePlaces } from "./places/measure-places.ts";
import { measureReminders } from "./reminders/measure-reminders.ts";
import { measureStores } from "./stores/measure-stores.ts";

await runParts("state", {
  stores: { knows: timedOptions, measure: measureStores },
  calls: { knows: timedOptions, measure: measureCalls },
  recipients: { knows: timedOptions, measure: measureRecipients },
  reminders: { knows: ["rounds", "only", "loads"], measure: measureReminders },
  places: { knows: ["rounds", "only", "agents"], measure: measurePlaces },
  memory: { knows: ["rounds", "only", "loads", "agents"], measure: measureMemory },
  beside: { knows: timedOptions, measure: measureBeside },
  million: { knows: ["agents"], measure: measureMillion },
});
