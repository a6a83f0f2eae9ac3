import { compare } from "../../support/comparing.ts";
import { ByHandContender } from "./by-hand-contender.ts";
import { KeptCallContender } from "./contenders.ts";
import { loads } from "./loads.ts";

/** Measures calls to agents that keep a state of 512 bytes: caller → host → target → host with its store → back. */
export async function measureCalls(args: readonly string[]): Promise<void> {
  await compare({
    benchmark: "state-calls",
    title: "calls to agents that keep a state",
    unit: "calls/s",
    contenders: [
      new KeptCallContender("SQLite, full", "stored", "sqlite-full"),
      new KeptCallContender("SQLite, normal", "stored", "sqlite-normal"),
      new KeptCallContender("memory", "stored", "memory"),
      new KeptCallContender("SQLite, full, runAhead: 64", "ahead", "sqlite-full"),
      new KeptCallContender("PostgreSQL", "stored", "postgres"),
      new ByHandContender("NATS request(), JetStream KV by hand", "kv"),
      new ByHandContender("NATS request(), pg by hand", "pg"),
      new KeptCallContender("no state", "plain", "memory"),
    ],
    baseline: "no state",
    loads,
    loadText: ({ text }) => text,
    args,
  });
}
