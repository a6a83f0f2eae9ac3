import { compare } from "../support/comparing.ts";
import { type PartOptions, planArgs } from "../support/part-options.ts";
import { aloneWith, bareLoopOn, DurableContender, SharedServers } from "./contenders.ts";
import { durablePlan } from "./loads.ts";

/** Measures told messages at a host that is alone, beside one NATS server. */
export async function measureAlone(options: PartOptions): Promise<void> {
  const { server } = options;
  const always = new SharedServers({ count: 1, syncsAlways: true, server });
  const lazy = new SharedServers({ count: 1, server });
  await compare({
    ...durablePlan,
    benchmark: "durable-alone",
    title: "told messages at a host alone",
    contenders: [
      new DurableContender("SQLite, full", aloneWith("sqlite-full", "plain")),
      new DurableContender("SQLite, full, receivers with a state", aloneWith("sqlite-full", "stored")),
      new DurableContender("memory", aloneWith("memory", "plain")),
      new DurableContender("JetStream, which syncs later", bareLoopOn(lazy)),
      new DurableContender("JetStream, sync_interval: always", bareLoopOn(always)),
    ],
    baseline: "JetStream, sync_interval: always",
    args: planArgs(options),
  });
}
