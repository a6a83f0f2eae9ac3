// `npm run bench -- access [--rounds 15] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures what knowing callers, rules, quotas and TLS cost a host for each message, beside a host without them.
import { hostLoads } from "../host-alone/loads.ts";
import { compare } from "../support/comparing.ts";
import { baseline, createContenders } from "./contenders.ts";

await compare({
  benchmark: "access",
  title: "what protection costs the host, 100 B",
  unit: "messages/s",
  contenders: createContenders(),
  baseline,
  // One load of each kind: the differences are small, so that they need many rounds.
  loads: hostLoads.filter(({ text }) => text === "calls, 256 in flight" || text === "events to 1"),
  loadText: ({ text }) => text,
  rounds: 15,
});
