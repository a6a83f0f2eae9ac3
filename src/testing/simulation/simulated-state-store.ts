import {
  type AgentName,
  anyRoom,
  assertArgument,
  assertObject,
  assertOptions,
  type Commit,
  type CommitOutcome,
  callable,
  clock as clockKind,
  type DueQuery,
  type DurableLog,
  type LargerState,
  type ListPage,
  type ListQuery,
  type MailQuery,
  type MemoryStateStore,
  number,
  type OpenStoreOptions,
  optionShape,
  type RememberedMessage,
  type ReminderQuery,
  type RunList,
  type RunName,
  type RunPage,
  type RunPageQuery,
  type RunQuery,
  type Settlements,
  type StateRecord,
  type StateStore,
  type StoredMail,
  type StoredReminder,
  StoreError,
  type StoreOpening,
  type StoreStats,
  withMethods,
} from "../../core/internal.ts";
import { SimulatedLog } from "./simulated-log.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import {
  type AskQueue,
  copyOf,
  type SimulatedStateStoreOptions,
  type SimulatedStoreFault,
  SimulatedTable,
} from "./simulated-table.ts";

const diceKind = withMethods("a Dice", "next", "between", "fork");
const shape = optionShape<SimulatedStateStoreOptions>({
  clock: clockKind,
  dice: diceKind,
  latencyMs: callable,
  onCommitted: callable,
  maxMailboxMessages: number(anyRoom),
  maxMailboxBytes: number(anyRoom),
  maxMailBytes: number(anyRoom),
});

/**
 * A state store in simulated time. Each answer takes a while, and answers keep the order of the asks. `reopen` makes another store over the
 * same data, as a second host or the next process has it. Tests can make the store slow, full or unreachable.
 *
 * @example
 * ```ts
 * const store = new SimulatedStateStore({ clock: simulation.clock, dice: simulation.dice.fork("store") });
 * const process = simulation.process("host");
 * const host = new Host({ listener, address }, { clock: process.clock, stateStore: store.reopen(process) });
 * store.break("full");
 * ```
 */
export class SimulatedStateStore implements StateStore {
  readonly writers = "one";
  readonly #options: SimulatedStateStoreOptions;
  #table: SimulatedTable;
  #memory: MemoryStateStore;
  #queue: AskQueue;
  #log: DurableLog;
  #isClosed = false;

  /** Throws `invalid-argument` for unknown options and for values of a wrong kind. */
  constructor(options: SimulatedStateStoreOptions) {
    assertObject(options, "The options of a SimulatedStateStore, { clock, dice },");
    assertOptions(options, shape, "SimulatedStateStore");
    assertArgument(options.clock, "The clock of a simulated store", clockKind);
    assertArgument(options.dice, "The dice of a simulated store", diceKind);
    this.#options = options;
    this.#table = new SimulatedTable(options);
    this.#memory = this.#table.memory;
    this.#queue = this.#table.queue(undefined);
    this.#log = new SimulatedLog(this.#memory.log, this.#queue);
  }

  /** The mailboxes. What is asked of them takes its time as well. */
  get log(): DurableLog {
    return this.#log;
  }

  /**
   * Creates another store over the same data. `process`: the process that has it. When that is killed, the store never answers again.
   * The first of its writes that were under way have happened, the others have not.
   */
  reopen(process?: SimulatedProcess): SimulatedStateStore {
    const other = new SimulatedStateStore(this.#options);
    other.#table = this.#table;
    other.#memory = this.#memory.reopen();
    other.#queue = this.#table.queue(process);
    other.#log = new SimulatedLog(other.#memory.log, other.#queue);
    return other;
  }

  /** Gives all stores over these data a fault, until `mend`. */
  break(fault: SimulatedStoreFault): void {
    this.#table.break(fault);
  }

  mend(): void {
    this.#table.mend();
  }

  /** The data, without delays and faults. It is for checks: do not write to it. */
  get data(): StateStore {
    return this.#table.memory;
  }

  open(options: OpenStoreOptions = {}): Promise<StoreOpening> {
    return this.#ask("open", () => this.#memory.open(options));
  }

  load(
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | "unchanged" | undefined> {
    return this.#ask("read", () => this.#memory.load(agent, options));
  }

  loadUpTo(
    maxBytes: number,
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | LargerState | "unchanged" | undefined> {
    return this.#ask("read", () => this.#memory.loadUpTo(maxBytes, agent, options));
  }

  commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const copies = copyOf(commits);
    return this.#ask("put", async () => {
      const outcomes = await this.#memory.commit(copies);
      for (const [index, commit] of copies.entries()) {
        const outcome = outcomes[index];
        if (outcome?.at === "committed") this.#table.onCommitted(commit, outcome);
      }
      return outcomes;
    });
  }

  remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined> {
    return this.#ask("read", () => this.#memory.remembered(agent, id, principal));
  }

  list(query?: ListQuery): Promise<ListPage> {
    return this.#ask("read", () => this.#memory.list(query));
  }

  reminders(agent: AgentName, query?: ReminderQuery): Promise<readonly StoredReminder[]> {
    return this.#ask("read", () => this.#memory.reminders(agent, query));
  }

  due(query: DueQuery): Promise<readonly StoredReminder[]> {
    return this.#ask("read", () => this.#memory.due(query));
  }

  mail(query: MailQuery): Promise<readonly StoredMail[]> {
    return this.#ask("read", () => this.#memory.mail(query));
  }

  readRun(run: RunName, query?: RunPageQuery): Promise<RunPage | undefined> {
    return this.#ask("read", () => this.#memory.readRun(run, query));
  }

  listRuns(query?: RunQuery): Promise<RunList> {
    return this.#ask("read", () => this.#memory.listRuns(query));
  }

  settle(done: Settlements): Promise<void> {
    const copy = copyOf(done);
    return this.#ask("write", () => this.#memory.settle(copy));
  }

  stats(): Promise<StoreStats> {
    return this.#ask("read", () => this.#memory.stats());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue.settled();
    await this.#memory.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ask<Answer>(kind: Parameters<AskQueue["ask"]>[0], run: () => Promise<Answer>): Promise<Answer> {
    if (this.#isClosed) return Promise.reject(new StoreError("closed", "This store is closed."));
    return this.#queue.ask(kind, run);
  }
}
