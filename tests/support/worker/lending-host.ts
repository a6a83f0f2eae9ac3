import type { Frame } from "../../../src/protocol/index.ts";
import type { HeartbeatFrame } from "../../../src/protocol/internal.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../../../src/transport/index.ts";
import { inShort, PlacingHost } from "./placing-host.ts";
import type { ScriptedStream } from "./scripted-host.ts";

/** A stand-in for a host of a cluster: it speaks the wire, lends leases, and otherwise does what a test says. */
export class LendingHost extends PlacingHost {
  /** Milliseconds of the leases that it lends. 0: it answers and lends none. Undefined: it does not answer. */
  leaseMs: number | undefined = 3_000;
  /** Questions of workers, in order. */
  readonly questions: { readonly frame: HeartbeatFrame; readonly stream: ScriptedStream<Frame> }[] = [];

  constructor(network: MemoryNetwork = createMemoryNetwork()) {
    super(undefined, network);
    this.isTroupe = true;
    this.capabilities = ["heartbeat", "turns", "claims", "lease"];
    this.endsChannels = true;
    this.takes = (frame, stream) => {
      if (frame.kind !== "heartbeat" || frame.isAnswer) return false;
      this.questions.push({ frame, stream });
      const { leaseMs } = this;
      if (leaseMs !== undefined) stream.send({ kind: "heartbeat", seq: frame.seq, isAnswer: true, leaseMs });
      return true;
    };
  }
}

/** Starts hosts of one cluster. */
export async function lendingHosts<Count extends number>(count: Count): Promise<LendingHost[]> {
  const network = createMemoryNetwork();
  return Promise.all(Array.from({ length: count }, () => new LendingHost(network).listen() as Promise<LendingHost>));
}

/** Frames of a cluster's worker in short. */
export function inShortOf(frame: Frame): string {
  if (frame.kind !== "holds") return inShort(frame);
  return `holds ${frame.agents.map(({ key, epoch }) => `${key}@${epoch.number}`).join(",")}`;
}

export async function takeShortOf(channel: ScriptedStream<Frame>, count: number): Promise<string[]> {
  return (await channel.received.takeMany(count)).map(inShortOf);
}
