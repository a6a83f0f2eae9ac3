import { measuredHostCommand } from "../../peers/measured-host.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { ProcessGroup } from "../../support/process-group.ts";
import { programCommand, thisNode } from "../../support/project.ts";

/** A measured process, and the number of its agents. */
export interface MemoryLoad {
  readonly text: string;
  readonly of: "worker" | "host";
  readonly agents: number;
}

/** Registrations of the agents: as always; with a time or a cap; shared, so that the host has a claim of each. */
type AgentKind = "plain" | "idle" | "capped" | "shared";

/** A host and a worker, new for each round. */
export class AgentMemory implements Contender<MemoryLoad> {
  readonly name: string;
  readonly #kind: AgentKind;

  constructor(name: string, kind: AgentKind) {
    this.name = name;
    this.#kind = kind;
  }

  carries({ of }: MemoryLoad): boolean {
    return of === "host" ? this.#kind === "plain" || this.#kind === "shared" : true;
  }

  async start(): Promise<void> {}

  /** `bytes` for each agent: of the worker's heap, or of the host's. */
  async measure({ of, agents }: MemoryLoad): Promise<Round> {
    const group = new ProcessGroup(this.name);
    try {
      const host = group.start("host", measuredHostCommand());
      const address = String((await host.next("ready")).address);
      const [, ...program] = programCommand(import.meta, "worker", address, this.#kind);
      const worker = group.start("worker", [thisNode[0] ?? "", "--expose-gc", ...program]);
      await worker.next("ready");
      const hostBytes = async (): Promise<number> => {
        host.send({ do: "measure", collectGarbage: true });
        const { heapUsed, external } = await host.next("measured");
        return Number(heapUsed) + Number(external);
      };
      const fill = async (prefix: string, count: number): Promise<number> => {
        worker.send({ prefix, count });
        return Number((await worker.next("filled")).bytes);
      };
      // What exists once, such as compiled code, comes with the first agents.
      await fill("first", Math.ceil(agents / 10));
      const before = await hostBytes();
      const bytes = await fill("agent", agents);
      return { bytes: of === "worker" ? bytes : ((await hostBytes()) - before) / agents };
    } finally {
      await group.stop();
    }
  }

  async stop(): Promise<void> {}
}
