import { type NatsKind, NatsServers, natsServersAbsence } from "../peers/nats-servers.ts";
import { peerCommand } from "../peers/start-host.ts";
import { type CallLoad, type EndRole, troupe } from "../rpc/contenders.ts";
import { compare } from "../support/comparing.ts";
import type { Contender, Round } from "../support/contender.ts";
import { type PartOptions, planArgs } from "../support/part-options.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { type HostsWanted, type StartedHosts, startHosts } from "./host-cluster.ts";

interface Load extends CallLoad {
  readonly text: string;
}

const loads: readonly Load[] = [1, 64, 256].map((inFlight) => ({
  ...{ text: `${inFlight} in flight`, payloadBytes: 100, inFlight },
}));

/** A caller and a target in processes of their own, and what is between them. */
abstract class CallsBetween implements Contender<Load> {
  readonly name: string;
  abstract readonly absent: string | undefined;
  protected readonly group: ProcessGroup;

  constructor(name: string) {
    this.name = name;
    this.group = new ProcessGroup(name);
  }

  abstract start(): Promise<void>;
  abstract stop(): Promise<void>;

  measure({ payloadBytes, inFlight }: Load, seconds: number): Promise<Round> {
    const caller = this.group.get("caller");
    return this.group.withProcessorTime(async () => {
      caller.send({ seconds, payloadBytes, inFlight });
      return roundOf(await caller.next("round"));
    });
  }

  protected async startEnds(commandOf: (role: EndRole) => readonly string[]): Promise<void> {
    for (const role of ["target", "caller"] as const) await this.group.start(role, commandOf(role)).next("ready");
  }
}

/** The caller is at the first host. The target is there, too, or at the last host. */
class TroupeCalls extends CallsBetween {
  readonly absent: string | undefined;
  readonly #wanted: HostsWanted;
  readonly #targetAt: number;
  #hosts: StartedHosts | undefined;

  constructor(name: string, wanted: HostsWanted, targetAt: number) {
    super(name);
    this.absent = wanted.alone === true ? undefined : natsServersAbsence(wanted.nats);
    this.#wanted = wanted;
    this.#targetAt = targetAt;
  }

  async start(): Promise<void> {
    const hosts = await startHosts(this.group, this.#wanted);
    this.#hosts = hosts;
    await this.startEnds((role) => troupe(role, hosts.address(role === "caller" ? 0 : this.#targetAt)));
  }

  async stop(): Promise<void> {
    await this.group.stop();
    await this.#hosts?.stop();
  }
}

/** The caller is at the first server, the target at the last. A route joins them. */
class NatsCalls extends CallsBetween {
  readonly absent: string | undefined;
  readonly #nats: NatsKind;
  #servers: NatsServers | undefined;

  constructor(name: string, nats: NatsKind) {
    super(name);
    this.absent = natsServersAbsence(nats);
    this.#nats = nats;
  }

  async start(): Promise<void> {
    const servers = await NatsServers.start(this.#nats);
    servers.watchIn(this.group);
    this.#servers = servers;
    const address = (role: EndRole) => servers.addresses.at(role === "caller" ? 0 : -1) ?? "";
    await this.startEnds((role) => peerCommand("nats", role, address(role)));
  }

  async stop(): Promise<void> {
    await this.group.stop();
    await this.#servers?.stop();
  }
}

/** Measures calls of 100 bytes over two hosts of a cluster, beside those at one host. */
export async function measureCalls(options: PartOptions): Promise<void> {
  const { server } = options;
  const two = { count: 2, nats: { count: 1, server } } as const;
  await compare<Load>({
    benchmark: "cluster-calls",
    title: "calls over two hosts",
    unit: "calls/s",
    contenders: [
      new TroupeCalls("over two hosts", two, 1),
      new TroupeCalls("at one of two hosts", two, 0),
      new NatsCalls("NATS request(), over two servers", { count: 2, server }),
      new NatsCalls("NATS request(), at one server", { count: 1, server }),
      new TroupeCalls("one host alone", { alone: true }, 0),
    ],
    baseline: "one host alone",
    loads,
    loadText: ({ text }) => text,
    ...{ warmUpSeconds: 3, rounds: 4 },
    args: planArgs(options),
  });
}
