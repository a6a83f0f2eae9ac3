import { type Commit, type CommitOutcome, MemoryStateStore, type StateStore } from "../../src/storage/index.ts";

type Name = { readonly type: string; readonly key: string };

/** A store in memory that a test watches, and whose commits it may hold up, fail or cross. */
export class WatchedStore implements StateStore {
  readonly writers = "one";
  readonly inner: MemoryStateStore;
  /** What was committed, in order. */
  readonly commits: Commit[] = [];
  /** Runs before each commit. A throw is the commit's outcome. */
  beforeCommit: (commit: Commit) => unknown = () => undefined;
  /** Decides a commit in the store's place: nothing is written. Undefined: the store decides. */
  decide: (commit: Commit) => CommitOutcome | undefined = () => undefined;
  /** Runs after each commit that was written. A throw is the commit's outcome. */
  afterCommit: (commit: Commit) => unknown = () => undefined;
  beforeLoad: (agent: Name) => unknown = () => undefined;

  constructor(inner = new MemoryStateStore()) {
    this.inner = inner;
  }

  get log(): StateStore["log"] {
    return this.inner.log;
  }

  /** The stored state of an agent; undefined if there is none. */
  async stored(agent: Name): Promise<unknown> {
    const record = await this.inner.load(agent);
    if (record === undefined || record === "unchanged") return undefined;
    return JSON.parse(new TextDecoder().decode(record.data));
  }

  /** Writes a state as another program does. */
  async write(agent: Name, state: unknown, schemaVersion = 1): Promise<void> {
    const data = typeof state === "string" ? state : JSON.stringify(state);
    const [outcome] = await this.inner.commit([
      {
        agent: { type: agent.type, key: agent.key },
        epoch: undefined,
        expected: { at: "anything" },
        write: {
          at: "put",
          contentType: "application/json",
          schemaVersion,
          data: new TextEncoder().encode(data),
        },
        reminders: [],
        mail: [],
        remembered: [],
      },
    ]);
    if (outcome?.at !== "committed") throw new Error(`not written: ${outcome?.at}`);
  }

  async commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    for (const commit of commits) await this.beforeCommit(commit);
    const decided = commits.map((commit) => this.decide(commit)).filter((outcome) => outcome !== undefined);
    if (decided.length > 0) return decided;
    const outcomes = await this.inner.commit(commits);
    for (const [at, commit] of commits.entries()) {
      if (outcomes[at]?.at !== "committed") continue;
      this.commits.push(commit);
      await this.afterCommit(commit);
    }
    return outcomes;
  }

  open: StateStore["open"] = (options) => this.inner.open(options);
  load: StateStore["load"] = async (agent, options) => {
    await this.beforeLoad(agent);
    return this.inner.load(agent, options);
  };
  loadUpTo: StateStore["loadUpTo"] = async (maxBytes, agent, options) => {
    await this.beforeLoad(agent);
    return this.inner.loadUpTo(maxBytes, agent, options);
  };
  remembered: StateStore["remembered"] = (agent, id, principal) => this.inner.remembered(agent, id, principal);
  list: StateStore["list"] = (query) => this.inner.list(query);
  reminders: StateStore["reminders"] = (agent, query) => this.inner.reminders(agent, query);
  due: StateStore["due"] = (query) => this.inner.due(query);
  mail: StateStore["mail"] = (query) => this.inner.mail(query);
  readRun: StateStore["readRun"] = (run, query) => this.inner.readRun(run, query);
  listRuns: StateStore["listRuns"] = (query) => this.inner.listRuns(query);
  settle: StateStore["settle"] = (done) => this.inner.settle(done);
  stats: StateStore["stats"] = () => this.inner.stats();
  /** The store beneath stays open, for the next one over it. */
  close: StateStore["close"] = async () => {};
  [Symbol.asyncDispose] = () => this.close();
}
