import { compare } from "../../support/comparing.ts";
import { type PartOptions, planArgs } from "../../support/part-options.ts";
import { BesideContender } from "./contenders.ts";

/** Measures what other calls of a host notice of its store: against a store in memory, which does no I/O. */
export async function measureBeside(options: PartOptions): Promise<void> {
  await compare({
    benchmark: "state-beside",
    title: "calls without state, 1 in flight, beside calls that write states",
    unit: "calls/s",
    contenders: [
      new BesideContender("SQLite, full", "sqlite-full"),
      new BesideContender("SQLite, normal", "sqlite-normal"),
      new BesideContender("memory", "memory"),
    ],
    baseline: "memory",
    loads: [4, 64],
    loadText: (inFlight) => `beside ${inFlight} writing calls`,
    ...{ rounds: 3, seconds: 2 },
    args: planArgs(options),
  });
}
