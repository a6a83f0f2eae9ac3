import { compare } from "../support/comparing.ts";
import { type PartOptions, planArgs } from "../support/part-options.ts";
import { bareLoopOn, clusterOn, DurableContender, SharedServers } from "./contenders.ts";
import { durablePlan } from "./loads.ts";

/** Measures told messages from one host to another, beside a bare loop on the same three NATS servers. */
export async function measureCluster(options: PartOptions): Promise<void> {
  const servers = new SharedServers({ count: 3, server: options.server });
  await compare({
    ...durablePlan,
    benchmark: "durable-cluster",
    title: "told messages over two hosts, three NATS servers",
    contenders: [
      new DurableContender("cluster", clusterOn(servers, "plain")),
      new DurableContender("cluster, PostgreSQL, receivers with a state", clusterOn(servers, "stored", "postgres")),
      new DurableContender("bare JetStream loop", bareLoopOn(servers)),
    ],
    baseline: "bare JetStream loop",
    args: planArgs(options),
  });
}
