import { measuredHostCommand } from "../peers/measured-host.ts";
import { type NatsKind, NatsServers, natsServersAbsence } from "../peers/nats-servers.ts";
import { compare } from "../support/comparing.ts";
import type { Contender, Round } from "../support/contender.ts";
import { agentsIn, type PartOptions, planArgs } from "../support/part-options.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";

/** A host of a cluster, which is measured, and a worker of a shared type there. All is new for each round. */
class ClaimMemory implements Contender<number> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #nats: NatsKind;

  constructor(name: string, nats: NatsKind) {
    this.name = name;
    this.absent = natsServersAbsence(nats);
    this.#nats = nats;
  }

  async start(): Promise<void> {}

  /** `bytes` for each agent: of the host's heap and what is beside it. */
  async measure(count: number): Promise<Round> {
    const group = new ProcessGroup(this.name);
    const servers = await NatsServers.start(this.#nats);
    try {
      const host = group.start("host", [...measuredHostCommand(), servers.urls]);
      const address = String((await host.next("ready")).address);
      await group.start("worker", programCommand(import.meta, "worker", address)).next("ready");
      const caller = group.start("caller", programCommand(import.meta, "caller", address));
      await caller.next("ready");
      const hostBytes = async (): Promise<number> => {
        host.send({ do: "measure", collectGarbage: true });
        const { heapUsed, external } = await host.next("measured");
        return Number(heapUsed) + Number(external);
      };
      const fill = async (agents: number): Promise<void> => {
        caller.send({ do: "call some", count: agents });
        await caller.next("answered");
      };
      // What exists once, such as compiled code, comes with the first agents.
      const first = Math.ceil(count / 10);
      await fill(first);
      const before = await hostBytes();
      await fill(count + first);
      return { bytes: ((await hostBytes()) - before) / count };
    } finally {
      await group.stop();
      await servers.stop();
    }
  }

  async stop(): Promise<void> {}
}

/** Measures what a claim takes at the host whose worker has the agent. */
export async function measureMemory(options: PartOptions): Promise<void> {
  await compare<number>({
    benchmark: "cluster-memory",
    title: "memory of claims at the host",
    unit: "bytes",
    contenders: [new ClaimMemory("a claim", { count: 1, server: options.server })],
    baseline: "a claim",
    loads: [agentsIn(options, 50_000)],
    loadText: (count) => `${count.toLocaleString("en")} agents`,
    ...{ seconds: 0, warmUpSeconds: 0, rounds: 2 },
    args: planArgs(options),
  });
}
