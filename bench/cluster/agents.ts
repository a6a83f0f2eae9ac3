import { natsServersAbsence } from "../peers/nats-servers.ts";
import { compare } from "../support/comparing.ts";
import type { Contender, Round } from "../support/contender.ts";
import { type PartOptions, planArgs } from "../support/part-options.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";
import { type HostsWanted, type StartedHosts, startHosts } from "./host-cluster.ts";

interface Load {
  readonly text: string;
  readonly inFlight: number;
}

/** Two workers of a shared type at two hosts, and a caller at the first host that calls each agent once. */
class NewAgents implements Contender<Load> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #wanted: HostsWanted;
  readonly #group: ProcessGroup;
  #hosts: StartedHosts | undefined;

  constructor(name: string, wanted: HostsWanted) {
    this.name = name;
    this.absent = wanted.alone === true ? undefined : natsServersAbsence(wanted.nats);
    this.#wanted = wanted;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    const hosts = await startHosts(this.#group, this.#wanted);
    this.#hosts = hosts;
    for (const at of [0, 1]) {
      await this.#group.start("workers", programCommand(import.meta, "worker", hosts.address(at))).next("ready");
    }
    await this.#group.start("caller", programCommand(import.meta, "caller", hosts.address(0))).next("ready");
  }

  measure({ inFlight }: Load, seconds: number): Promise<Round> {
    const caller = this.#group.get("caller");
    return this.#group.withProcessorTime(async () => {
      caller.send({ do: "call new agents", seconds, inFlight });
      return roundOf(await caller.next("round"));
    });
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#hosts?.stop();
  }
}

/** Measures first calls to agents of a type that two workers at two hosts share. */
export async function measureAgents(options: PartOptions): Promise<void> {
  const { server } = options;
  const on = (count: 1 | 3): HostsWanted => ({ count: 2, nats: { count, server } });
  await compare<Load>({
    benchmark: "cluster-agents",
    title: "first calls of agents",
    unit: "agents/s",
    contenders: [
      new NewAgents("three NATS servers", on(3)),
      new NewAgents("one NATS server", on(1)),
      new NewAgents("one host alone", { alone: true }),
    ],
    baseline: "one host alone",
    loads: [1, 64, 256].map((inFlight) => ({ text: `${inFlight} in flight`, inFlight })),
    loadText: ({ text }) => text,
    ...{ warmUpSeconds: 3 },
    args: planArgs(options),
  });
}
