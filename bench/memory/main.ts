// `npm run bench -- memory [--rounds 3] [--only NAME] [--loads TEXT]`
// Measures the memory of an idle live agent, beyond its user's own fields.
import { compare } from "../support/comparing.ts";
import { baseline, createContenders } from "./contenders.ts";

await compare({
  benchmark: "memory",
  title: "memory of one idle live agent beyond the user's own fields",
  unit: "",
  contenders: createContenders(),
  baseline,
  loads: [200_000],
  loadText: (agents) => `${agents.toLocaleString("en-US")} live agents`,
  seconds: 0,
  rounds: 3,
});
