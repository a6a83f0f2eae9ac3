import type { PartOptions } from "../../support/part-options.ts";
import { ByHandContender } from "./by-hand-contender.ts";
import { KeptCallContender } from "./contenders.ts";
import { steadyLoads } from "./loads.ts";
import { measureLoads } from "./measure.ts";

/** Measures calls to agents that keep a state of 512 bytes: caller → host → target → host with its store → back. */
export async function measureCalls(options: PartOptions): Promise<void> {
  await measureLoads(options, {
    benchmark: "state-calls",
    title: "calls to agents that keep a state",
    contenders: [
      new KeptCallContender("SQLite, full", "stored", "sqlite-full"),
      new KeptCallContender("SQLite, normal", "stored", "sqlite-normal"),
      new KeptCallContender("memory", "stored", "memory"),
      new KeptCallContender("PostgreSQL", "stored", "postgres"),
      new ByHandContender("NATS request(), JetStream KV by hand", "kv"),
      new ByHandContender("NATS request(), pg by hand", "pg"),
      new KeptCallContender("no state", "plain", "memory"),
    ],
    loads: steadyLoads,
  });
}
