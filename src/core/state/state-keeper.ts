import type { TroupeError } from "../errors.ts";
import type { AgentName } from "./agent-name.ts";
import type { Epoch } from "./epoch.ts";
import type { Commit, CommitOutcome, RememberedMessage, StateRecord, StoredReminder } from "./state-store.ts";
import type { RunList, RunName, RunPage, RunPageQuery, RunQuery } from "./stored-runs.ts";

/** Options of `StateKeeper.load`. */
export interface KeeperLoadOptions {
  /** The epoch of the agent's placement. Undefined: its type is exclusive. */
  readonly epoch: Epoch | undefined;
  /** Resolves to `unchanged` if the record has this eTag. */
  readonly unless?: string | undefined;
}

/** A commit with the messages that leave when it is written. */
export interface KeptCommit<Out = unknown> extends Commit {
  /** Answers and events, in the order in which they leave. Only the runtime that made them reads them. */
  readonly out: readonly Out[];
}

/** The outcome of a commit to a keeper. */
export type KeptOutcome =
  | CommitOutcome
  /** Nothing has changed. */
  | { readonly at: "failed"; readonly error: TroupeError }
  /** The commit may have happened. */
  | { readonly at: "unknown"; readonly error: TroupeError };

/**
 * Keeps the persistent agents of one runtime: in a store of the runtime (`StoreKeeper`), or at its host. A commit is written before
 * its messages leave.
 */
export interface StateKeeper<Out = unknown> {
  /** Reads the record; undefined if there is none. Rejects with a `TroupeError`. */
  load(agent: AgentName, options: KeeperLoadOptions): Promise<StateRecord | "unchanged" | undefined>;
  /**
   * Resolves when the commit is decided, and never rejects. The messages in `out` of a commit that happened have been sent, in order;
   * those of any other never are.
   */
  commit(commit: KeptCommit<Out>): Promise<KeptOutcome>;
  /** Finds a message that the agent has handled. Rejects with a `TroupeError`. */
  remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined>;
  /** The reminders of an agent, by name. Rejects with a `TroupeError`. */
  reminders(agent: AgentName): Promise<readonly StoredReminder[]>;
  /** Whether it writes changes of runs. False: runs stay in the memory of the runtime. */
  readonly keepsRuns: boolean;
  /** Reads a run, a page at a time. Undefined: it keeps no such run. Rejects with a `TroupeError`. */
  readRun(run: RunName, query: RunPageQuery): Promise<RunPage | undefined>;
  /** Lists the runs of an agent, a page at a time. Rejects with a `TroupeError`. */
  listRuns(query: AgentRunQuery): Promise<RunList>;
}

/** Which runs of one agent to list. */
export interface AgentRunQuery extends Pick<RunQuery, "status" | "limit"> {
  readonly agent: AgentName;
  /** The id with which the last page ended. Default: from the first. */
  readonly after?: string | undefined;
}

/** Whether a commit only sends its messages: it compares nothing and writes nothing. */
export function onlySends({ expected, write, reminders, mail, remembered, runs }: Commit): boolean {
  const writes = write.at !== "keep" || reminders.length > 0 || mail.length > 0 || remembered.length > 0;
  return !writes && expected.at === "anything" && (runs === undefined || runs.length === 0);
}
