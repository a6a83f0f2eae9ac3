import { compare } from "../../support/comparing.ts";
import { type PartOptions, planArgs } from "../part-options.ts";
import { ByHandContender } from "./by-hand-contender.ts";
import { KeptCallContender } from "./contenders.ts";
import { recipientLoads } from "./loads.ts";

/** Measures calls whose agents are new, or have to be loaded, or are one and the same. */
export async function measureRecipients(options: PartOptions): Promise<void> {
  await compare({
    benchmark: "state-recipients",
    title: "calls to new agents, to one agent, and first calls",
    unit: "calls/s",
    contenders: [
      new KeptCallContender("SQLite, full", "stored", "sqlite-full"),
      new KeptCallContender("SQLite, normal", "stored", "sqlite-normal"),
      new KeptCallContender("SQLite, full, runAhead: 64", "ahead", "sqlite-full"),
      new KeptCallContender("PostgreSQL", "stored", "postgres"),
      new ByHandContender("NATS request(), JetStream KV by hand", "kv"),
      new KeptCallContender("no state", "plain", "memory"),
    ],
    baseline: "no state",
    loads: recipientLoads,
    loadText: ({ text }) => text,
    ...{ rounds: 3, warmUpSeconds: 0.5 },
    args: planArgs(options),
  });
}
