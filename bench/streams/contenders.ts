import { natsAbsence } from "../peers/nats-server.ts";
import { startHost } from "../peers/start-host.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";
import type { StreamRound } from "./stream-rounds.ts";

export interface StreamLoad extends Pick<StreamRound, "inFlight"> {
  readonly text: string;
}

interface StreamParties {
  /** Starts everything but the reader. Resolves to the reader's command. */
  readonly start: (group: ProcessGroup) => Promise<readonly string[]>;
  readonly mostInFlight?: number | undefined;
  readonly absent?: string | undefined;
}

/** A reader, and what streams to it. */
class StreamContender implements Contender<StreamLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #parties: StreamParties;
  readonly #group: ProcessGroup;

  constructor(name: string, parties: StreamParties) {
    this.name = name;
    this.absent = parties.absent;
    this.#parties = parties;
    this.#group = new ProcessGroup(name);
  }

  carries({ inFlight }: StreamLoad): boolean {
    return inFlight <= (this.#parties.mostInFlight ?? Number.POSITIVE_INFINITY);
  }

  async start(): Promise<void> {
    await this.#group.start("reader", await this.#parties.start(this.#group)).next("ready");
  }

  measure({ inFlight }: StreamLoad, seconds: number): Promise<Round> {
    const reader = this.#group.get("reader");
    return this.#group.withProcessorTime(async () => {
      reader.send({ seconds, inFlight });
      return roundOf(await reader.next("round"));
    });
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }
}

const command = (program: string, ...args: readonly string[]) => programCommand(import.meta, program, ...args);

const troupe = (way: string) => async (group: ProcessGroup) => {
  const address = await startHost(group, "troupe");
  await group.start("target", command("target", address)).next("ready");
  return command("reader", address, way);
};

const nats = async (group: ProcessGroup) => {
  const address = await startHost(group, "nats");
  await group.start("target", command("nats", "target", address)).next("ready");
  return command("nats", "reader", address);
};

const grpcJs = async (group: ProcessGroup) => {
  const { address } = await group.start("target", command("grpc-js", "host")).next("ready");
  return command("grpc-js", "reader", String(address));
};

/** Contender that the others are compared with. */
export const baseline = "grpc-js server stream, no host";

export function createContenders(): Contender<StreamLoad>[] {
  return [
    new StreamContender("Troupe", { start: troupe("stream") }),
    new StreamContender("Troupe, streams of one part", { start: troupe("first") }),
    new StreamContender("Troupe, plain calls", { start: troupe("call") }),
    new StreamContender("Troupe, events on a topic", { start: troupe("events"), mostInFlight: 1 }),
    new StreamContender("NATS, many replies", { start: nats, absent: natsAbsence() }),
    new StreamContender(baseline, { start: grpcJs }),
  ];
}
