import type { HostCounters } from "troupe/host";
import { PeerProcess } from "../support/peer-process.ts";
import { programCommand } from "../support/project.ts";

/** The host's own figures. Bytes of its process; `maxBlockedMs`: its longest turn since it was asked last. */
export interface Measurement {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly maxBlockedMs: number;
  readonly counters: HostCounters;
}

/** A host in a process of its own that can be asked how it is. */
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
    // The other side of this line is measured-host-process.ts beside this file.
    return (await this.#process.next("measured")) as unknown as Measurement;
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

/** How to run such a host. It tells `ready` with its address, and on each command `measured`. */
export function measuredHostCommand(): string[] {
  const [node = "", ...args] = programCommand(import.meta, "measured-host-process");
  return [node, "--expose-gc", ...args];
}
