import { PeerProcess } from "../support/peer-process.ts";
import type { FloodReport, Site } from "./crowd.ts";
import type { FloodCommand } from "./flood.ts";
import type { HonestCommand, HonestReport } from "./honest.ts";

/** The attackers' process. */
export class Attackers {
  readonly #process: PeerProcess;

  private constructor(process: PeerProcess) {
    this.#process = process;
  }

  /** `command`: of flood.ts. */
  static async start([node = "", ...args]: readonly string[]): Promise<Attackers> {
    const process = new PeerProcess("attackers", node, args);
    await process.next("ready");
    return new Attackers(process);
  }

  /** Does what comes before the flood of this name. */
  async prepare(name: string, site: Site): Promise<void> {
    await this.#tell({ do: "prepare", name, site }, "prepared");
  }

  /** Starts the flood. Resolves when it has sent something: it has the least of the processor, so that honest rounds may be over before. */
  async go(): Promise<void> {
    await this.#tell({ do: "go" }, "going");
  }

  /** Resolves when one of the connections has done all that it does. Most floods never end by themselves. */
  async passed(): Promise<void> {
    await this.#tell({ do: "pass" }, "passed");
  }

  /** Ends the flood and hangs up. */
  stop(): Promise<FloodReport> {
    return this.#tell({ do: "stop" }, "stopped");
  }

  end(): Promise<void> {
    return this.#process.stop();
  }

  async #tell<Answer>(command: FloodCommand, event: string): Promise<Answer> {
    this.#process.send(command);
    // The other side of this line is flood.ts.
    return (await this.#process.next(event)) as unknown as Answer;
  }
}

/** The honest workers' process. */
export class Honest {
  readonly #process: PeerProcess;

  private constructor(process: PeerProcess) {
    this.#process = process;
  }

  /** `command`: of honest.ts. */
  static async start([node = "", ...args]: readonly string[]): Promise<Honest> {
    const process = new PeerProcess("honest workers", node, args);
    await process.next("ready");
    return new Honest(process);
  }

  /** Begins the probes whose name contains `only`. */
  async begin(only = ""): Promise<void> {
    await this.#tell({ do: "begin", only }, "begun");
  }

  /** Resolves when each probe has had so many rounds more, or the host has worked for so long more. */
  async enough(rounds: number, workMs: number): Promise<void> {
    await this.#tell({ do: "enough", rounds, workMs }, "enough");
  }

  /** Notes that the attackers leave now. */
  async mark(): Promise<void> {
    await this.#tell({ do: "mark" }, "marked");
  }

  /** Resolves when the last rounds are over. */
  finish(): Promise<HonestReport> {
    return this.#tell({ do: "finish" }, "finished");
  }

  end(): Promise<void> {
    return this.#process.stop();
  }

  async #tell<Answer>(command: HonestCommand, event: string): Promise<Answer> {
    this.#process.send(command);
    // The other side of this line is honest.ts.
    return (await this.#process.next(event)) as unknown as Answer;
  }
}
