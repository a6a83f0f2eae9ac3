import { type Comparing, compare } from "../../support/comparing.ts";
import { type PartOptions, planArgs } from "../../support/part-options.ts";
import type { StateLoad } from "./loads.ts";

/** Measures calls to agents of several contenders, beside the one whose agents keep no state. */
export async function measureLoads(
  options: PartOptions,
  comparison: Pick<Comparing<StateLoad>, "benchmark" | "title" | "contenders" | "loads">,
): Promise<void> {
  await compare<StateLoad>({
    ...comparison,
    unit: "calls/s",
    baseline: "no state",
    loadText: ({ text }) => text,
    ...{ rounds: 3, warmUpSeconds: 0.5 },
    args: planArgs(options),
  });
}
