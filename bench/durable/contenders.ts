import { HostCluster } from "../cluster/host-cluster.ts";
import { type NatsKind, NatsServers, natsServersAbsence } from "../peers/nats-servers.ts";
import { startHost } from "../peers/start-host.ts";
import { absenceOf, type Keeping, type KeptStore, makeStore } from "../state/calls/kept.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";

export interface DurableLoad {
  readonly text: string;
  readonly inFlight: number;
}

/** The commands of a contender's ends, after all between them has started. `stop` ends what is not in its group. */
interface Started {
  readonly sender: readonly string[];
  readonly receiver: readonly string[];
  stop(): Promise<void>;
}

interface Kept {
  readonly absent?: string | undefined;
  start(group: ProcessGroup): Promise<Started>;
}

/** A sender and a receiver in processes of their own, and what keeps the messages between them. */
export class DurableContender implements Contender<DurableLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #kept: Kept;
  readonly #group: ProcessGroup;
  #started: Started | undefined;

  constructor(name: string, kept: Kept) {
    this.name = name;
    this.absent = kept.absent;
    this.#kept = kept;
    this.#group = new ProcessGroup(name);
  }

  async start(): Promise<void> {
    this.#started = await this.#kept.start(this.#group);
    const { sender, receiver } = this.#started;
    await this.#group.start("receiver", receiver).next("ready");
    const sending = this.#group.start("sender", sender);
    await sending.next("ready");
    this.#group.get("receiver").onLine("handled", ({ count }) => sending.send({ do: "handled", count }));
  }

  /** `perSecond`: handled messages; the round ends when all are. The percentiles are from the sender's call to the handler. */
  measure({ inFlight }: DurableLoad, seconds: number): Promise<Round> {
    const [sender, receiver] = [this.#group.get("sender"), this.#group.get("receiver")];
    return this.#group.withProcessorTime(async () => {
      const startMs = performance.now();
      sender.send({ do: "send", seconds, inFlight });
      const total = Number((await sender.next("sent")).count);
      receiver.send({ until: total });
      const latencies = roundOf(await receiver.next("all"));
      const count = total - this.#before;
      this.#before = total;
      return { count, perSecond: (count * 1_000) / (performance.now() - startMs), ...latencies };
    });
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#started?.stop();
  }

  #before = 0;
}

type Receivers = "plain" | "stored";

const troupeEnds = (senderAt: string, receiverAt: string, receivers: Receivers) => ({
  sender: programCommand(import.meta, "sender", senderAt),
  receiver: programCommand(import.meta, "receiver", receiverAt, receivers),
});

/** A host alone, which keeps messages in its state store. */
export function aloneWith(keeping: Keeping, receivers: Receivers): Kept {
  return {
    absent: absenceOf(keeping),
    start: async (group) => {
      const store = await makeStore(keeping);
      const address = await startHost(group, "troupe", store.flags);
      return { ...troupeEnds(address, address, receivers), stop: () => store.remove() };
    },
  };
}

/** Servers that several contenders use. The first starts them, the last stops them. */
export class SharedServers {
  readonly kind: NatsKind;
  #users = 0;
  #starting: Promise<NatsServers> | undefined;

  constructor(kind: NatsKind) {
    this.kind = kind;
  }

  get absent(): string | undefined {
    return natsServersAbsence(this.kind);
  }

  async use(): Promise<NatsServers> {
    this.#users += 1;
    this.#starting ??= NatsServers.start(this.kind);
    return await this.#starting;
  }

  async leave(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) await (await this.#starting)?.stop();
  }
}

/** Two hosts of a cluster: the sender is at one, the receiver at the other. `keeping`: the state store for receivers with a state. */
export function clusterOn(shared: SharedServers, receivers: Receivers, keeping?: Keeping): Kept {
  return {
    absent: shared.absent ?? (keeping && absenceOf(keeping)),
    start: async (group) => {
      const store: KeptStore | undefined = keeping && (await makeStore(keeping));
      const cluster = await HostCluster.on(await shared.use(), group, 0);
      await cluster.add(2, [...(store?.flags ?? []), "--cluster-name", receivers]);
      const stop = async () => {
        await shared.leave();
        await store?.remove();
      };
      return { ...troupeEnds(cluster.address(0), cluster.address(1), receivers), stop };
    },
  };
}

/** A publish–consume–acknowledge loop on JetStream with the NATS client and nothing else. */
export function bareLoopOn(shared: SharedServers): Kept {
  return {
    absent: shared.absent,
    start: async (group) => {
      const servers = await shared.use();
      servers.watchIn(group);
      const command = (role: string) =>
        programCommand(import.meta, "jet-stream", role, servers.addresses.join(","), `${shared.kind.count}`);
      return { sender: command("sender"), receiver: command("receiver"), stop: () => shared.leave() };
    },
  };
}
