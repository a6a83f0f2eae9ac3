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
    const [node = "", ...args] = programCommand(import.meta, "measured-host-process");
    this.#process = new PeerProcess("host", node, ["--expose-gc", ...args]);
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
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
