import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand, pythonAbsence, pythonCommand } from "../support/project.ts";

/** `send` waits for answers; `publish` counts deliveries. */
export type InProcessLoad =
  | { readonly kind: "send"; readonly inFlight: number }
  | { readonly kind: "publish"; readonly agents: 1 | 32 };

interface ContenderOptions {
  /** Reason why it cannot take part. */
  readonly absent?: string | undefined;
  /** Loads that it can carry. Default: all. */
  readonly loads?: readonly InProcessLoad["kind"][];
}

/** One process with everything: runtime, agents and senders. */
class InProcessContender implements Contender<InProcessLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #command: readonly string[];
  readonly #loads: readonly InProcessLoad["kind"][];
  readonly #group: ProcessGroup;

  constructor(name: string, command: readonly string[], options: ContenderOptions = {}) {
    this.name = name;
    this.absent = options.absent;
    this.#command = command;
    this.#loads = options.loads ?? ["send", "publish"];
    this.#group = new ProcessGroup(name);
  }

  carries({ kind }: InProcessLoad): boolean {
    return this.#loads.includes(kind);
  }

  async start(): Promise<void> {
    await this.#group.start("process", this.#command).next("ready");
  }

  measure(load: InProcessLoad, seconds: number): Promise<Round> {
    const process = this.#group.get("process");
    return this.#group.withProcessorTime(async () => {
      process.send({ seconds, load });
      return roundOf(await process.next("round"));
    });
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }
}

export const baseline = "Python AutoGen";
export const plain = "Troupe";
export const limited = "Troupe, each call with a time limit";

export function createContenders(): Contender<InProcessLoad>[] {
  return [
    new InProcessContender(plain, programCommand(import.meta, "program")),
    new InProcessContender("Troupe, checksMessages: false", programCommand(import.meta, "program", "--unchecked")),
    new InProcessContender(limited, programCommand(import.meta, "program", "--time-limit"), { loads: ["send"] }),
    new InProcessContender(baseline, pythonCommand("in_process.py"), { absent: pythonAbsence() }),
  ];
}
