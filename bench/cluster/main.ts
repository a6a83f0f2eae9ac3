// `npm run bench -- cluster [PART …] [--rounds N] [--seconds N] [--warm-up N] [--only TEXT] [--loads TEXT] [--agents N] [--server PATH]`
// Measures what several hosts cost and give. `--server`: the nats-server to run. Three servers need 2.11 or newer.
import { runParts } from "../summary/run-parts.ts";
import { timedOptions } from "../support/part-options.ts";
import { measureAgents } from "./agents.ts";
import { measureCalls } from "./calls.ts";
import { measureEvents } from "./events.ts";
import { measureLosses } from "./losses.ts";
import { measureMemory } from "./memory.ts";
import { measureOwnWorkers } from "./own-workers.ts";

const timed = [...timedOptions, "server"] as const;
await runParts("cluster", {
  calls: { knows: timed, measure: measureCalls },
  workers: { knows: timed, measure: measureOwnWorkers },
  events: { knows: timed, measure: measureEvents },
  agents: { knows: timed, measure: measureAgents },
  losses: { knows: ["rounds", "only", "loads", "agents", "server"], measure: measureLosses },
  memory: { knows: ["rounds", "agents", "server"], measure: measureMemory },
});
