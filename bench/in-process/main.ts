// `npm run bench -- in-process [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME] [--loads TEXT]`
// Measures messages within one process, through SingleThreadedAgentRuntime.
import { compare } from "../support/comparing.ts";
import { baseline, createContenders, type InProcessLoad } from "./contenders.ts";

const loads: readonly InProcessLoad[] = [
  { kind: "send", inFlight: 1 },
  { kind: "send", inFlight: 64 },
  { kind: "publish", agents: 1 },
  { kind: "publish", agents: 32 },
];

await compare({
  benchmark: "in-process",
  title: "messages in process, each of 100 bytes",
  unit: "handled/s",
  contenders: createContenders(),
  baseline,
  loads,
  loadText,
});

function loadText(load: InProcessLoad): string {
  if (load.kind === "send") return `sends, ${load.inFlight} in flight`;
  return load.agents === 1 ? "publishes to 1 agent" : `publishes to ${load.agents} agents`;
}
