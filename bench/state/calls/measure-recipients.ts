import type { PartOptions } from "../../support/part-options.ts";
import { ByHandContender } from "./by-hand-contender.ts";
import { KeptCallContender } from "./contenders.ts";
import { recipientLoads } from "./loads.ts";
import { measureLoads } from "./measure.ts";

/** Measures calls whose agents are new, or have to be loaded, or are one and the same. */
export async function measureRecipients(options: PartOptions): Promise<void> {
  await measureLoads(options, {
    benchmark: "state-recipients",
    title: "calls to new agents, to one agent, and first calls",
    contenders: [
      new KeptCallContender("SQLite, full", "stored", "sqlite-full"),
      new KeptCallContender("SQLite, normal", "stored", "sqlite-normal"),
      new KeptCallContender("SQLite, full, runAhead: 64", "ahead", "sqlite-full"),
      new KeptCallContender("PostgreSQL", "stored", "postgres"),
      new ByHandContender("NATS request(), JetStream KV by hand", "kv"),
      new KeptCallContender("no state", "plain", "memory"),
    ],
    loads: recipientLoads,
  });
}
