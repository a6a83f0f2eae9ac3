import type { Contender, Round } from "../support/contender.ts";
import { ProcessGroup, roundOf } from "../support/process-group.ts";
import { programCommand, pythonAbsence, pythonCommand } from "../support/project.ts";

/** `send` waits for answers; `publish` counts deliveries. */
export type InProcessLoad =
  | { readonly kind: "send"; readonly inFlight: number }
  | { readonly kind: "publish"; readonly agents: 1 | 32 };

/** One process with everything: runtime, agents and senders. */
class InProcessContender implements Contender<InProcessLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #command: readonly string[];
  readonly #group: ProcessGroup;

  constructor(name: string, command: readonly string[], absent?: string) {
    this.name = name;
    this.absent = absent;
    this.#command = command;
    this.#group = new ProcessGroup(name);
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

export function createContenders(): Contender<InProcessLoad>[] {
  return [
    new InProcessContender("Troupe", programCommand(import.meta, "program")),
    new InProcessContender("Troupe, checksMessages: false", programCommand(import.meta, "program", "--unchecked")),
    new InProcessContender(baseline, pythonCommand("in_process.py"), pythonAbsence()),
  ];
}
