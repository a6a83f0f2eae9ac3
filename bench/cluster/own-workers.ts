import { natsServersAbsence } from "../peers/nats-servers.ts";
import { compare } from "../support/comparing.ts";
import type { Contender, Round } from "../support/contender.ts";
import { type PartOptions, planArgs } from "../support/part-options.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";
import { type HostsWanted, type StartedHosts, startHosts } from "./host-cluster.ts";

interface Load {
  readonly text: string;
  readonly inFlight: number;
}

/** Hosts, each with a generator of its own: both ends of calls that do next to no work (`host-alone/generator.ts`). */
class HostsWithOwnWorkers implements Contender<Load> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #wanted: HostsWanted;
  readonly #count: number;
  readonly #group: ProcessGroup;
  #hosts: StartedHosts | undefined;

  constructor(name: string, wanted: HostsWanted, generators: number) {
    this.name = name;
    this.absent = wanted.alone === true ? undefined : natsServersAbsence(wanted.nats);
    this.#wanted = wanted;
    this.#count = generators;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    this.#hosts = await startHosts(this.#group, this.#wanted);
    for (let at = 0; at < this.#count; at += 1) {
      const args = ["http2", this.#hosts.address(at), `-${at}`];
      await this.#group
        .start("generators", programCommand(import.meta, "../host-alone/generator", ...args))
        .next("ready");
    }
  }

  /** `perSecond` and the processor time are for the calls of all hosts together. */
  measure({ inFlight }: Load, seconds: number): Promise<Round> {
    const generators = this.#group.all("generators");
    return this.#group.withProcessorTime(async () => {
      const rounds = await Promise.all(
        generators.map(async (generator) => {
          generator.send({ load: { kind: "calls", inFlight }, seconds });
          return await generator.next("round");
        }),
      );
      const sum = (figure: string) => rounds.reduce((total, round) => total + Number(round[figure]), 0);
      return { count: sum("count"), perSecond: sum("perSecond") };
    });
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#hosts?.stop();
  }
}

/** Measures the calls of several hosts whose workers call each other at the same host, beside those of one. */
export async function measureOwnWorkers(options: PartOptions): Promise<void> {
  const nats = { count: 1, server: options.server } as const;
  await compare<Load>({
    benchmark: "cluster-workers",
    title: "calls at hosts with their own workers",
    unit: "calls/s",
    contenders: [
      new HostsWithOwnWorkers("three hosts", { count: 3, nats }, 3),
      new HostsWithOwnWorkers("two hosts", { count: 2, nats }, 2),
      new HostsWithOwnWorkers("one host of a cluster", { count: 1, nats }, 1),
      new HostsWithOwnWorkers("one host alone", { alone: true }, 1),
    ],
    baseline: "one host alone",
    loads: [{ text: "64 in flight at each host", inFlight: 64 }],
    loadText: ({ text }) => text,
    ...{ warmUpSeconds: 3 },
    args: planArgs(options),
  });
}
