// `npm run bench -- events [--rounds 5] [--seconds 1] [--warm-up 5] [--only NAME] [--loads TEXT]`
// Sends events through a host to the handlers of many agents: their rate at full speed, and their latency at a low
// rate.
import { compare } from "../support/comparing.ts";
import { baseline, createContenders } from "./contenders.ts";
import { shapes } from "./shapes.ts";

await compare({
  benchmark: "events",
  title: "events of 100 bytes, from one publisher to every agent",
  unit: "delivered/s",
  contenders: createContenders(),
  baseline,
  loads: shapes,
  loadText: ({ text }) => text,
  loadsApart: true,
  // Ten processes share the processors, so each needs more time until its code is compiled.
  warmUpSeconds: 5,
});
