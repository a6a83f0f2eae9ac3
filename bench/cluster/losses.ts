import { type NatsKind, natsServersAbsence } from "../peers/nats-servers.ts";
import { compare } from "../support/comparing.ts";
import type { Contender, Round } from "../support/contender.ts";
import { agentsIn, type PartOptions, planArgs } from "../support/part-options.ts";
import { PeerProcess } from "../support/peer-process.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";
import { HostCluster } from "./host-cluster.ts";

/** A loss: a host with `count` workers, or a worker with `count` agents, is killed. */
interface Loss {
  readonly text: string;
  readonly of: "host" | "worker";
  readonly count: number;
}

/** Two hosts, new for each round. */
class Losses implements Contender<Loss> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #nats: NatsKind;

  constructor(name: string, nats: NatsKind) {
    this.name = name;
    this.absent = natsServersAbsence(nats);
    this.#nats = nats;
  }

  async start(): Promise<void> {}

  /** `ms`: from the end of the process until all have answered a call. */
  async measure({ of, count }: Loss): Promise<Round> {
    const group = new ProcessGroup(this.name);
    const cluster = await HostCluster.start(group, this.#nats, 2);
    try {
      const [lost, other] = cluster.hosts;
      if (lost === undefined || other === undefined) throw new Error("It has started two.");
      const caller = group.start("caller", programCommand(import.meta, "caller", other.address));
      await caller.next("ready");
      const callAll = async (command: object): Promise<number> => {
        caller.send(command);
        return Number((await caller.next("answered")).ms);
      };
      if (of === "host") {
        // The host tells them of the other one.
        const command = programCommand(import.meta, "movable-workers", lost.address, `${count}`);
        await group.start("workers", command).next("ready");
        const types = Array.from({ length: count }, (_, at) => `own-${at}`);
        await callAll({ do: "call each", types });
        await lost.process.kill();
        return { ms: await callAll({ do: "call each", types }) };
      }
      const [command = "", ...args] = programCommand(import.meta, "worker", lost.address);
      const worker = new PeerProcess(`${this.name}: worker that is killed`, command, args);
      await worker.next("ready");
      await callAll({ do: "call some", count });
      await group.start("workers", programCommand(import.meta, "worker", other.address)).next("ready");
      await worker.kill();
      return { ms: await callAll({ do: "call some", count }) };
    } finally {
      await group.stop();
      await cluster.stop();
    }
  }

  async stop(): Promise<void> {}
}

/** Measures how long it takes until the workers of a killed host, and the agents of a killed worker, answer again. */
export async function measureLosses(options: PartOptions): Promise<void> {
  const { server } = options;
  const agents = agentsIn(options, 1_000);
  await compare<Loss>({
    benchmark: "cluster-losses",
    title: "until all answer again after a kill -9",
    unit: "ms",
    contenders: [
      new Losses("three NATS servers", { count: 3, server }),
      new Losses("one NATS server", { count: 1, server }),
    ],
    baseline: "one NATS server",
    loads: [
      { text: "8 workers of a host", of: "host", count: 8 },
      { text: `${agents.toLocaleString("en")} agents of a worker`, of: "worker", count: agents },
    ],
    loadText: ({ text }) => text,
    ...{ seconds: 0, warmUpSeconds: 0, rounds: 2 },
    args: planArgs(options),
  });
}
