// `npm run bench -- durable [PART …] [--rounds N] [--seconds N] [--warm-up N] [--only TEXT] [--loads TEXT] [--server PATH]`
// Measures messages that are kept until they are handled. `--server`: the nats-server to run, 2.11 or newer.
import { runParts } from "../summary/run-parts.ts";
import { timedOptions } from "../support/part-options.ts";
import { measureAlone } from "./measure-alone.ts";
import { measureCluster } from "./measure-cluster.ts";

const knows = [...timedOptions, "server"] as const;
await runParts("durable", {
  alone: { knows, measure: measureAlone },
  cluster: { knows, measure: measureCluster },
});
