// `npm run bench -- watching [--rounds 7] [--seconds 5] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures what a page that watches costs a host under full load for each message, beside a host that no page watches.
import { hostLoads } from "../host-alone/loads.ts";
import { compare } from "../support/comparing.ts";
import { baseline, createContenders } from "./contenders.ts";

await compare({
  benchmark: "watching",
  title: "what a page that watches costs the host, 100 B",
  unit: "messages/s",
  contenders: createContenders(),
  baseline,
  // One load of each kind: the differences are small, so that they need many rounds.
  loads: hostLoads.filter(({ text }) => text === "calls, 256 in flight" || text === "events to 1"),
  loadText: ({ text }) => text,
  rounds: 7,
  // What a reader of the feed may have at once does not count much then.
  seconds: 5,
});
