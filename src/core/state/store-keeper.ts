import { errorText, TroupeError } from "../errors.ts";
import type { AgentName } from "./agent-name.ts";
import {
  type AgentRunQuery,
  type KeeperLoadOptions,
  type KeptCommit,
  type KeptOutcome,
  onlySends,
  type StateKeeper,
} from "./state-keeper.ts";
import type {
  Commit,
  RememberedMessage,
  StateRecord,
  StateStore,
  StoredReminder,
  StoreOpening,
} from "./state-store.ts";
import { StoreError } from "./store-error.ts";
import { listReminders } from "./store-pages.ts";
import type { RunList, RunName, RunPage, RunPageQuery } from "./stored-runs.ts";

/** Options of a `StoreKeeper`. */
export interface StoreKeeperOptions<Out> {
  readonly store: StateStore;
  /** Sends a message whose commit is written. Must not throw. */
  readonly send: (out: Out) => void;
  /** Called when a commit with mail or reminders is written. Must not throw. */
  readonly onWritten?: ((commit: Commit) => void) | undefined;
}

/** Keeps the persistent agents of a runtime in a store of its own. It opens the store when it first needs it, and never closes it. */
export class StoreKeeper<Out = unknown> implements StateKeeper<Out> {
  readonly keepsRuns = true;
  readonly #options: StoreKeeperOptions<Out>;
  #opening: Promise<StoreOpening> | undefined;

  constructor(options: StoreKeeperOptions<Out>) {
    this.#options = options;
  }

  /** Opens the store unless it is open. Rejects with a `TroupeError`; the next call tries again. */
  async open(): Promise<void> {
    this.#opening ??= this.#options.store.open();
    const opening = this.#opening;
    try {
      await opening;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw unavailable(error);
    }
  }

  async load(agent: AgentName, { unless }: KeeperLoadOptions): Promise<StateRecord | "unchanged" | undefined> {
    return this.#read((store) => store.load(agent, { unless }));
  }

  async remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined> {
    return this.#read((store) => store.remembered(agent, id, principal));
  }

  async reminders(agent: AgentName): Promise<readonly StoredReminder[]> {
    return this.#read((store) => listReminders(store, agent));
  }

  async readRun(run: RunName, query: RunPageQuery): Promise<RunPage | undefined> {
    return this.#read((store) => store.readRun(run, query));
  }

  async listRuns({ agent, after, status, limit }: AgentRunQuery): Promise<RunList> {
    const behind = after === undefined ? undefined : { agent, id: after };
    return this.#read((store) => store.listRuns({ agent, after: behind, status, limit }));
  }

  async commit(commit: KeptCommit<Out>): Promise<KeptOutcome> {
    const { out, ...plain } = commit;
    const outcome = onlySends(plain) ? sentOnly : await this.#write(plain);
    if (outcome.at !== "committed") return outcome;
    for (const message of out) this.#options.send(message);
    if (plain.mail.length > 0 || plain.reminders.length > 0) this.#options.onWritten?.(plain);
    return outcome;
  }

  async #write(commit: Commit): Promise<KeptOutcome> {
    try {
      await this.open();
    } catch (error) {
      return { at: "failed", error: unavailable(error) };
    }
    try {
      const [outcome] = await this.#options.store.commit([commit]);
      return outcome ?? { at: "unknown", error: unknown("its store gave no outcome") };
    } catch (error) {
      if (!(error instanceof TroupeError)) return { at: "unknown", error: unknown(errorText(error), error) };
      return { at: error.code === "state-unknown" ? "unknown" : "failed", error };
    }
  }

  async #read<T>(read: (store: StateStore) => Promise<T>): Promise<T> {
    await this.open();
    try {
      return await read(this.#options.store);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

const sentOnly: KeptOutcome = { at: "committed", eTag: "", revision: 0 };

function unavailable(error: unknown): TroupeError {
  if (error instanceof TroupeError) return error;
  return new StoreError("unavailable", `The state store failed: ${errorText(error)}`, { cause: error });
}

function unknown(why: string, cause?: unknown): TroupeError {
  return new StoreError("unknown", `It is not known whether the state was written: ${why}.`, { cause });
}
