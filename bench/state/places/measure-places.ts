import { compare } from "../../support/comparing.ts";
import { agentsIn, type PartOptions, planArgs } from "../../support/part-options.ts";
import { PlacesContender } from "./contenders.ts";

/** Measures how long it takes until the agents of a lost worker answer at another one. */
export async function measurePlaces(options: PartOptions): Promise<void> {
  await compare({
    benchmark: "state-places",
    title: "agents of a worker that was killed, until each has answered at another one",
    unit: "ms",
    contenders: [
      new PlacesContender("SQLite, full", "stored", "sqlite-full"),
      new PlacesContender("memory", "stored", "memory"),
      new PlacesContender("no state", "plain", "memory"),
    ],
    baseline: "no state",
    loads: [agentsIn(options, 10_000)],
    loadText: (count) => `${count.toLocaleString("en")} agents`,
    ...{ seconds: 0, warmUpSeconds: 0, rounds: 3 },
    args: planArgs(options),
  });
}
