import { EventContender, troupe } from "../events/contenders.ts";
import type { Shape } from "../events/shapes.ts";
import { natsServersAbsence } from "../peers/nats-servers.ts";
import { compare } from "../support/comparing.ts";
import { type PartOptions, planArgs } from "../support/part-options.ts";
import { type HostsWanted, startHosts } from "./host-cluster.ts";

const shape: Shape = { text: "24 agents on 3 workers", workers: 3, agentsPerWorker: 8 };

/** Measures events from a publisher at one host to workers at three hosts, beside those at one. */
export async function measureEvents(options: PartOptions): Promise<void> {
  const nats = { count: 1, server: options.server } as const;
  const contender = (name: string, wanted: HostsWanted) =>
    new EventContender(name, {
      hosts: (group) => startHosts(group, wanted),
      end: troupe,
      absent: wanted.alone === true ? undefined : natsServersAbsence(wanted.nats),
    });
  await compare<Shape>({
    benchmark: "cluster-events",
    title: "events of 100 bytes to workers at three hosts",
    unit: "delivered/s",
    contenders: [
      contender("workers at three hosts", { count: 3, nats }),
      contender("workers at one host of a cluster", { count: 1, nats }),
      contender("one host alone", { alone: true }),
    ],
    baseline: "one host alone",
    loads: [shape],
    loadText: ({ text }) => text,
    warmUpSeconds: 3,
    args: planArgs(options),
  });
}
