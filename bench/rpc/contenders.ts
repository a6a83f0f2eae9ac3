import { natsAbsence } from "../peers/nats-server.ts";
import { type HostKind, peerCommand, startHost } from "../peers/start-host.ts";
import type { CallRound } from "../support/call-rounds.ts";
import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand, pythonAbsence, pythonCommand } from "../support/project.ts";

export type CallLoad = Pick<CallRound, "payloadBytes" | "inFlight">;

/** 256 calls of 1 MB exceed the default queues of host and workers, which would refuse some as `overloaded`. */
export const mostBytesUnderWay = 1024 ** 3;

export type EndRole = "target" | "caller";

interface CallParties {
  readonly host: HostKind;
  /** Returns the command of the target or the caller. */
  readonly end: (role: EndRole, address: string) => readonly string[];
  readonly absent?: string | undefined;
}

/** Three processes: a host, a target and a caller. */
class CallContender implements Contender<CallLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #parties: CallParties;
  readonly #group: ProcessGroup;

  constructor(name: string, parties: CallParties) {
    this.name = name;
    this.absent = parties.absent;
    this.#parties = parties;
    this.#group = new ProcessGroup(name);
  }

  /** NATS queues 64 MB for a client, then disconnects it. */
  carries({ payloadBytes, inFlight }: CallLoad): boolean {
    return this.#parties.host !== "nats" || payloadBytes * inFlight <= 32_000_000;
  }

  async start(): Promise<void> {
    const address = await startHost(this.#group, this.#parties.host, ["--max-queued-bytes", `${mostBytesUnderWay}`]);
    for (const role of ["target", "caller"] as const) {
      await this.#group.start(role, this.#parties.end(role, address)).next("ready");
    }
  }

  measure(load: CallLoad, seconds: number): Promise<Round> {
    const caller = this.#group.get("caller");
    return this.#group.withProcessorTime(async () => {
      caller.send({ seconds, ...load });
      return roundOf(await caller.next("round"));
    });
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }
}

/** The command of Troupe's target or caller. */
export const troupe = (role: EndRole, address: string): readonly string[] => programCommand(import.meta, role, address);
const python = (role: EndRole, address: string) => pythonCommand("rpc.py", role, address);
const peer = (program: string) => (role: EndRole, address: string) => peerCommand(program, role, address);

/** Contender that the others are compared with. */
export const baseline = "Python AutoGen";

export function createContenders(): Contender<CallLoad>[] {
  const pythonIsAbsent = pythonAbsence();
  return [
    new CallContender("Troupe", { host: "troupe", end: troupe }),
    new CallContender("NATS request()", { host: "nats", end: peer("nats"), absent: natsAbsence() }),
    new CallContender("plain TCP relay", { host: "tcp", end: peer("tcp") }),
    new CallContender("grpc-js relay", { host: "grpc-js", end: peer("grpc-js") }),
    new CallContender("Python's workers, Troupe's host", { host: "troupe", end: python, absent: pythonIsAbsent }),
    new CallContender(baseline, { host: "python", end: python, absent: pythonIsAbsent }),
  ];
}
