// `npm run bench -- host-alone [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures what a message costs the host alone. A generator sends prepared frames and does no other work.
import { compare } from "../support/comparing.ts";
import { baseline, createContenders } from "./contenders.ts";
import { hostLoads } from "./loads.ts";

await compare({
  benchmark: "host-alone",
  title: "the host alone, 100 B",
  unit: "messages/s",
  contenders: createContenders(),
  baseline,
  loads: hostLoads,
  loadText: ({ text }) => text,
});
