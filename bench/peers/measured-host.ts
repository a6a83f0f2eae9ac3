import type { HostCounters } from "troupe/host";
import { PeerProcess } from "../support/peer-process.ts";
import { programCommand } from "../support/project.ts";

/** Figures of the host: bytes of its process, and `maxBlockedMs`, its longest turn since the last report. */
export interface Measurement {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly maxBlockedMs: number;
  readonly counters: HostCounters;
}

/** A host in its own process that reports its figures. */
export class MeasuredHost {
  readonly #process: PeerProcess;
  #address = "";

  constructor() {
    const [node = "", ...args] = measuredHostCommand();
    this.#process = new PeerProcess("host", node, args);
  }

  get address(): string {
    return this.#address;
  }

  async start(): Promise<this> {
    this.#address = String((await this.#process.next("ready")).address);
    return this;
  }

  async measure({ collectGarbage = false } = {}): Promise<Measurement> {
    this.#process.send({ do: "measure", collectGarbage });
    // The other side of this line is measured-host-process.ts.
    return (await this.#process.next("measured")) as unknown as Measurement;
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

/** Returns the command of such a host. It reports `ready` with its address, and `measured` for each command. */
export function measuredHostCommand(): string[] {
  const [node = "", ...args] = programCommand(import.meta, "measured-host-process");
  return [node, "--expose-gc", ...args];
}
