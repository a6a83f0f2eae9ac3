import { TroupeError } from "../errors.ts";
import type { AgentName } from "../state/agent-name.ts";
import type { DurableLog } from "../state/durable-log.ts";
import { withoutMail } from "../state/judge-commit.ts";
import type {
  Commit,
  CommitOutcome,
  DueQuery,
  LargerState,
  ListPage,
  ListQuery,
  MailQuery,
  OpenStoreOptions,
  RememberedMessage,
  ReminderQuery,
  Settlements,
  StateRecord,
  StateStore,
  StoredMail,
  StoredReminder,
  StoreOpening,
  StoreStats,
} from "../state/state-store.ts";
import type { RunList, RunName, RunPage, RunPageQuery, RunQuery } from "../state/stored-runs.ts";

/** The outcome of commits. `failed`: none of them has happened. `unknown`: the store can't say whether they have. */
export type Decided = readonly CommitOutcome[] | "failed" | "unknown";

/** Hears of the commits that go to a store. */
export interface CommitListener {
  /** Called before the store gets them. */
  onCommitting(commits: readonly Commit[]): void;
  /** The last place of the log that has the mail of all hosts. Undefined: the store has the mail itself, and deletes it with an agent. */
  newestPlace(): Promise<number> | undefined;
  /** Called when they are decided, or the store has failed, before those who wait for them. */
  onDecided(commits: readonly Commit[], outcomes: Decided): void;
}

/** A store that tells a listener of the commits that go through it. Everything else goes to the store as it is. */
export class ObservedStore implements StateStore {
  readonly #store: StateStore;
  readonly #listener: CommitListener;
  #opening: Promise<StoreOpening> | undefined;

  constructor(store: StateStore, listener: CommitListener) {
    this.#store = store;
    this.#listener = listener;
  }

  get writers(): "one" | "many" {
    return this.#store.writers;
  }

  get log(): DurableLog | undefined {
    return this.#store.log;
  }

  /** Opens the store once; later calls have the same opening. After a failure the next call tries again. */
  async open(options?: OpenStoreOptions): Promise<StoreOpening> {
    this.#opening ??= this.#store.open(options);
    const opening = this.#opening;
    try {
      return await opening;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  load(
    agent: AgentName,
    options?: { readonly unless?: string | undefined },
  ): Promise<StateRecord | "unchanged" | undefined> {
    return this.#store.load(agent, options);
  }

  loadUpTo(
    maxBytes: number,
    agent: AgentName,
    options?: { readonly unless?: string | undefined },
  ): Promise<StateRecord | LargerState | "unchanged" | undefined> {
    return this.#store.loadUpTo(maxBytes, agent, options);
  }

  commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const hasEffects = commits.some(
      ({ write, reminders, mail }) => write.at === "delete" || reminders.length > 0 || mail.length > 0,
    );
    return hasEffects ? this.#commitHeard(commits) : this.#store.commit(commits);
  }

  async #commitHeard(given: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const once = given.map(withMailOnce);
    const newest = once.some(isDeletion) ? this.#listener.newestPlace() : undefined;
    const commits = newest === undefined ? once : markedBy(once, await newest);
    this.#listener.onCommitting(commits);
    let outcomes: Decided = "unknown";
    try {
      outcomes = await this.#store.commit(commits);
      return outcomes;
    } catch (error) {
      if (error instanceof TroupeError && error.code !== "state-unknown") outcomes = "failed";
      throw error;
    } finally {
      this.#listener.onDecided(commits, outcomes);
    }
  }

  readRun(run: RunName, query?: RunPageQuery): Promise<RunPage | undefined> {
    return this.#store.readRun(run, query);
  }

  listRuns(query?: RunQuery): Promise<RunList> {
    return this.#store.listRuns(query);
  }

  remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined> {
    return this.#store.remembered(agent, id, principal);
  }

  list(query?: ListQuery): Promise<ListPage> {
    return this.#store.list(query);
  }

  reminders(agent: AgentName, query?: ReminderQuery): Promise<readonly StoredReminder[]> {
    return this.#store.reminders(agent, query);
  }

  due(query: DueQuery): Promise<readonly StoredReminder[]> {
    return this.#store.due(query);
  }

  mail(query: MailQuery): Promise<readonly StoredMail[]> {
    return this.#store.mail(query);
  }

  settle(done: Settlements): Promise<void> {
    return this.#store.settle(done);
  }

  stats(): Promise<StoreStats> {
    return this.#store.stats();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store.close();
  }
}

/** Returns a commit without mail that its mailbox gets from this commit already. The store compares the rest with what mailboxes know. */
function withMailOnce(commit: Commit): Commit {
  const { mail } = commit;
  if (mail.length < 2) return commit;
  const ids = new Set<string>();
  const again = mail.flatMap(({ isOnce, receiver, id }, index) => {
    if (isOnce !== true) return [];
    const name = JSON.stringify([receiver.type, receiver.key, id]);
    if (ids.has(name)) return [index];
    ids.add(name);
    return [];
  });
  return withoutMail(commit, again);
}

function isDeletion({ write }: Commit): boolean {
  return write.at === "delete";
}

// protocol.md §12.9
/** Marks the mailboxes of deleted agents, which are in a log of their own. The mark is written with the deletion, so that no loss of a host forgets it. */
function markedBy(commits: readonly Commit[], newest: number): readonly Commit[] {
  const frame = new TextEncoder().encode(String(newest));
  return commits.map((commit) => {
    if (!isDeletion(commit)) return commit;
    const mark = { id: "troupe.emptied", receiver: commit.agent, kind: "emptied", frame } as const;
    return { ...commit, mail: [...commit.mail, mark] };
  });
}
