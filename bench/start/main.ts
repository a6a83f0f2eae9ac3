// `npm run bench -- start [--rounds 5] [--only NAME] [--loads TEXT]`
// Measures the start-up time of a host and a worker, and the memory of an idle host.
import { compare } from "../support/comparing.ts";
import { baseline, createContenders, type StartLoad } from "./contenders.ts";

await compare<StartLoad>({
  benchmark: "start",
  title: "start and idle",
  unit: "",
  contenders: createContenders(),
  baseline,
  loads: ["host: spawn to ready", "worker: spawn to registered", "host: idle", "host: 1,000 idle sessions"],
  loadText: (load) => load,
  seconds: 0,
});
