import type { AgentId } from "../../agents/agent-id.ts";
import { TroupeError } from "../../errors.ts";
import type { Epoch } from "../../state/epoch.ts";
import type { AgentRunQuery, KeptOutcome, StateKeeper } from "../../state/state-keeper.ts";
import type { ReminderChange } from "../../state/state-store.ts";
import type { RunChange, RunList, RunPage, RunPageQuery } from "../../state/stored-runs.ts";
import { nameOf } from "./prepared-commit.ts";

export interface AgentRunKeeperOptions {
  /** Returns the keeper. Undefined: this runtime has none now. */
  readonly keeper: () => StateKeeper<never> | undefined;
  /** Returns the epoch under which a host has placed an agent here. Default: none has. */
  readonly epochOf?: ((id: AgentId) => Epoch | undefined) | undefined;
  /** Whether the agents of a type keep a state. Undefined: none was seen yet. */
  readonly isKept: (type: string) => boolean | undefined;
  /** Whether the agents of a type continue their unfinished runs. */
  readonly continuesRuns: (type: string) => boolean;
}

/** The kept runs of one agent, under the epoch that it has here now. */
export interface AgentRuns {
  /** Changes runs and reminders, and nothing else. Never rejects. */
  commit(runs: readonly RunChange[], reminders?: readonly ReminderChange[]): Promise<KeptOutcome>;
  /** Rejects with a `TroupeError`. */
  read(id: string, query: RunPageQuery): Promise<RunPage | undefined>;
  /** Rejects with a `TroupeError`. */
  list(query: Omit<AgentRunQuery, "agent">): Promise<RunList>;
}

/** Keeps the runs of persistent agents where their states are kept. */
export class AgentRunKeeper {
  readonly #options: AgentRunKeeperOptions;

  constructor(options: AgentRunKeeperOptions) {
    this.#options = options;
  }

  /** Whether the runs of a type's agents are kept. Undefined: that is known when one of them is live. */
  keeps(type: string): boolean | undefined {
    const isKept = this.#options.isKept(type);
    return isKept === true ? this.#options.keeper()?.keepsRuns === true : isKept;
  }

  /** Whether the agents of a type continue their unfinished runs. */
  continues(type: string): boolean {
    return this.#options.continuesRuns(type);
  }

  of(id: AgentId): AgentRuns {
    const agent = nameOf(id);
    const epoch = this.#options.epochOf?.(id);
    const keeper = () => {
      const found = this.#options.keeper();
      if (found !== undefined) return found;
      throw new TroupeError("not-accessible", `The runs of ${id} are not kept: the host keeps no states.`);
    };
    return {
      commit: async (runs, reminders = []) => {
        const commit = { agent, epoch, expected: { at: "anything" }, write: { at: "keep" } } as const;
        try {
          return await keeper().commit({ ...commit, reminders, mail: [], remembered: [], runs, out: [] });
        } catch (error) {
          return { at: "failed", error: TroupeError.from(error) };
        }
      },
      read: async (run, query) => keeper().readRun({ agent, id: run }, query),
      list: async (query) => keeper().listRuns({ agent, ...query }),
    };
  }
}
