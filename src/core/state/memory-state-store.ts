import { type Clock, type MakeId, nextTurn, randomId, systemClock } from "../clock.ts";
import { firstOf } from "../collections/first-of.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { callable, clock as clockKind, flag, number } from "../validation/option-kinds.ts";
import { anyRoom, someTime } from "../validation/option-values.ts";
import { type AgentName, compareBytes, compareNames, textOfName } from "./agent-name.ts";
import type { DurableLog } from "./durable-log.ts";
import { mailOfSlice } from "./fit-mail.ts";
import { mailBoundsOf } from "./mail-bounds.ts";
import { type HeldCommit, heldCommit, inTurns, ownCommit, whole } from "./memory/held-commit.ts";
import type { MemoryReminder } from "./memory/memory-reminders.ts";
import { inShards, type MemoryRecord, type Moment, StateMemory } from "./memory/state-memory.ts";
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
} from "./state-store.ts";
import { StoreError } from "./store-error.ts";
import { storeLimits } from "./store-limits.ts";
import { type MailTable, StoreLog } from "./store-log.ts";
import { listPageOf, pageOf } from "./store-pages.ts";
import type { RunList, RunName, RunPage, RunPageQuery, RunQuery } from "./stored-runs.ts";

/** Options of a `MemoryStateStore`. */
export interface MemoryStateStoreOptions {
  /** Limit of all that is stored, names included, in bytes. Default: 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Limit of agents with a state. Default: 100 000. */
  readonly maxEntries?: number | undefined;
  /** Limit of the messages of one mailbox: an agent's told messages. Default: 10 000. */
  readonly maxMailboxMessages?: number | undefined;
  /** Limit of the bytes of one mailbox. Each message counts its own and 1 KiB. Default: 64 MiB. */
  readonly maxMailboxBytes?: number | undefined;
  /** Limit of the bytes of all mailboxes. The agents of one type have at most two thirds. Default: half of `maxBytes`, at most 1 GiB. */
  readonly maxMailBytes?: number | undefined;
  /** Milliseconds after its last save until a state is forgotten, with all that belongs to its agent. Default: never. */
  readonly expireAfterMs?: number | undefined;
  /** Creates eTags. Default: random UUIDs. */
  readonly makeId?: MakeId | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

const shape = optionShape<MemoryStateStoreOptions>({
  maxBytes: number(anyRoom),
  maxEntries: number(anyRoom),
  maxMailboxMessages: number(anyRoom),
  maxMailboxBytes: number(anyRoom),
  maxMailBytes: number(anyRoom),
  expireAfterMs: number(someTime),
  makeId: callable,
  clock: clockKind,
});

const openShape = optionShape<OpenStoreOptions>({ takesOver: flag });

/**
 * Keeps agent states in this process, within limits. It refuses a commit beyond a limit and keeps what is stored. All of it is lost
 * with the process.
 *
 * @example
 * ```ts
 * const store = new MemoryStateStore({ maxBytes: 64 * 1024 * 1024 });
 * await store.open();
 * ```
 */
export class MemoryStateStore implements StateStore {
  readonly writers = "one";
  /** The mailboxes. They stay with the memory: stores that `reopen` has made share them. */
  readonly log: DurableLog;
  readonly #ownLog: StoreLog;
  #memory: StateMemory;
  readonly #clock: Clock;
  /** Of the last `open`; 0: never opened. */
  #incarnation = 0;
  #isClosed = false;

  /** Throws `invalid-argument` for unknown options and for values of a wrong kind. */
  constructor(options: MemoryStateStoreOptions = {}) {
    assertOptions(options, shape, "MemoryStateStore");
    this.#clock = options.clock ?? systemClock;
    const maxBytes = options.maxBytes ?? 256 * 1024 * 1024;
    this.#memory = new StateMemory({
      maxBytes,
      maxEntries: options.maxEntries ?? 100_000,
      mail: mailBoundsOf(options, Math.min(maxBytes / 2, storeLimits.mailBytes)),
      expireAfterMs: options.expireAfterMs ?? Number.POSITIVE_INFINITY,
      makeId: options.makeId ?? randomId,
    });
    this.#ownLog = new StoreLog(this.#mailTable());
    this.log = this.#ownLog;
  }

  /**
   * Creates another store over the same memory, as a second process opens the same file. For tests of what outlives a host, and of two
   * hosts on one store.
   */
  reopen(): MemoryStateStore {
    const other = new MemoryStateStore({ clock: this.#clock });
    other.#memory = this.#memory;
    return other;
  }

  async open(options: OpenStoreOptions = {}): Promise<StoreOpening> {
    assertOptions(options, openShape, "open");
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    this.#assertNotClosed();
    const memory = this.#memory;
    const isOwn = this.#incarnation === memory.incarnation;
    if (memory.isHeld && !isOwn && options.takesOver !== true) {
      throw new StoreError("in-use", "Another store holds this memory. Close it, or open this one with takesOver.");
    }
    const { newestGeneration } = memory;
    const incarnation = Math.max(newestGeneration + 1, Math.floor(this.#clock.wallNow() / 1_000));
    memory.incarnation = incarnation;
    memory.newestGeneration = incarnation;
    memory.isHeld = true;
    memory.onMail = () => this.#ownLog.wake();
    this.#incarnation = incarnation;
    return { incarnation, newestGeneration };
  }

  async load(
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | "unchanged" | undefined> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const record = this.#read().records.get(textOfName(agent));
    if (record === undefined) return undefined;
    if (options.unless === record.eTag) return "unchanged";
    const { eTag, revision, schemaVersion, contentType, data, savedAtMs, epoch } = record;
    return { eTag, revision, schemaVersion, contentType, data: new Uint8Array(data), savedAtMs, epoch };
  }

  async loadUpTo(
    maxBytes: number,
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | LargerState | "unchanged" | undefined> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const record = this.#read().records.get(textOfName(agent));
    if (record === undefined || record.eTag === options.unless || record.data.length <= maxBytes) {
      return this.load(agent, options);
    }
    return { at: "larger", bytes: record.data.length };
  }

  async commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    if (isLarge(commits) || this.#memory.writing !== undefined) return this.#commitLater(commits.map(heldCommit));
    const memory = this.#write();
    const moment = this.#moment();
    return commits.map((commit) => whole(memory.commit(commit, moment)));
  }

  /** Commits in slices, with the turns of the event loop between them for others. */
  async #commitLater(commits: readonly HeldCommit[]): Promise<readonly CommitOutcome[]> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const memory = this.#write();
    if (!isLarge(commits.map(({ commit }) => commit))) {
      return commits.map((held) => whole(memory.commit(whole(ownCommit(held)), this.#moment())));
    }
    let end: () => void = () => undefined;
    memory.writing = new Promise((resolve) => {
      end = resolve;
    });
    try {
      const outcomes: CommitOutcome[] = [];
      for (const held of commits) {
        const own = await inTurns(ownCommit(held));
        outcomes.push(await inTurns(memory.commit(own, this.#moment())));
        if (outcomes.length % mailOfSlice === 0) await nextTurn();
      }
      return outcomes;
    } finally {
      memory.writing = undefined;
      end();
    }
  }

  async remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    return this.#read().remembered.find(textOfName(agent), id, principal, this.#clock.wallNow());
  }

  async list({ type, keyPrefix = "", after, limit = storeLimits.listed }: ListQuery = {}): Promise<ListPage> {
    const most = Math.min(limit, storeLimits.mostListed);
    const isWanted = ({ agent }: MemoryRecord) =>
      (type === undefined || agent.type === type) &&
      agent.key.startsWith(keyPrefix) &&
      (after === undefined || compareNames(agent, after) > 0);
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const found = firstOf(filtered(this.#read().records.values(), isWanted), most + 1, (a, b) =>
      compareNames(a.agent, b.agent),
    );
    const listed = found.map(({ data, savedMs: _, ...record }) => ({ ...record, bytes: data.length }));
    return listPageOf(listed, most);
  }

  async reminders(agent: AgentName, { after, maxBytes }: ReminderQuery = {}): Promise<readonly StoredReminder[]> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const all = this.#read().reminders.of(textOfName(agent));
    const left = after === undefined ? all : all.filter(({ name }) => compareBytes(name, after) > 0);
    return pageOf(left, { bytesOf: ({ message }) => message.length, maxBytes }).map(copyOfReminder);
  }

  async due({ beforeMs, shards, after, limit, maxBytes }: DueQuery): Promise<readonly StoredReminder[]> {
    const inShard = inShards(shards);
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const { reminders } = this.#read();
    const isWanted = (one: MemoryReminder) =>
      one.dueMs < beforeMs && inShard(one.agent) && (after === undefined || compareDue(one, after) > 0);
    const sorted =
      after === undefined
        ? filtered(until(reminders.inOrder(), beforeMs), isWanted)
        : firstOf(filtered(reminders.all(), isWanted), limit, compareDue);
    return pageOf(sorted, { bytesOf: ({ message }) => message.length, limit, maxBytes }).map(copyOfReminder);
  }

  async mail({ shards, after = 0, limit, maxBytes }: MailQuery): Promise<readonly StoredMail[]> {
    const inShard = inShards(shards);
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const wanted = filtered(this.#read().mailboxes.behind(after), ({ receiver }) => inShard(receiver));
    const page = pageOf(wanted, { bytesOf: ({ frame }) => frame.length, limit, maxBytes });
    return page.map((one) => ({ ...one, frame: new Uint8Array(one.frame) }));
  }

  async readRun({ agent, id }: RunName, query: RunPageQuery = {}): Promise<RunPage | undefined> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    return this.#read().runs.page(textOfName(agent), id, query);
  }

  async listRuns(query: RunQuery = {}): Promise<RunList> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    return this.#read().runs.list(query);
  }

  async settle(done: Settlements): Promise<void> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    this.#write().settle(done);
  }

  #mailTable(): MailTable {
    return {
      readMail: (query) => this.#whenWhole(() => this.#read().mailboxes.read(query)),
      append: (mailbox, message) => {
        const own = this.#memory.writing === undefined ? message : withOwnFrame(message);
        return this.#whenWhole(() => this.#write().append(mailbox, own, this.#moment()));
      },
      dropMail: (place) => this.#whenWhole(() => this.#write().dropMail(place)),
      bury: (message, why) => {
        const own = this.#memory.writing === undefined ? message : withOwnFrame(message);
        return this.#whenWhole(() => this.#write().bury(own, why, this.#moment()));
      },
      deadLetters: (query) =>
        this.#whenWhole(() => this.#read().dead.page(query, this.#clock.wallNow() - storeLimits.deadLetterMs)),
      replay: (letters) => this.#whenWhole(() => this.#write().replay(letters, this.#moment())),
      drop: (letters) => this.#whenWhole(() => this.#write().drop(letters)),
    };
  }

  async stats(): Promise<StoreStats> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    const memory = this.#read();
    const types = new Map<string, { type: string; records: number; bytes: number }>();
    let bytes = 0;
    for (const { agent, data } of memory.records.values()) {
      const ofType = types.get(agent.type) ?? { type: agent.type, records: 0, bytes: 0 };
      types.set(agent.type, ofType);
      ofType.records += 1;
      ofType.bytes += data.length;
      bytes += data.length;
    }
    const sorted = [...types.values()].sort((a, b) => compareBytes(a.type, b.type));
    const [reminders, mail] = [memory.reminders.count, memory.mailboxes.size];
    return { records: memory.records.size, bytes, reminders, mail, types: sorted };
  }

  async close(): Promise<void> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    if (this.#incarnation !== 0 && this.#incarnation === this.#memory.incarnation) this.#memory.isHeld = false;
    this.#isClosed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Reads or writes at once, or when no large commit is half written. */
  async #whenWhole<T>(use: () => T): Promise<T> {
    while (this.#memory.writing !== undefined) await this.#memory.writing;
    return use();
  }

  #read(): StateMemory {
    this.#assertNotClosed();
    this.#memory.expire(this.#moment());
    return this.#memory;
  }

  #write(): StateMemory {
    const memory = this.#read();
    if (this.#incarnation === 0) throw new StoreError("not-open", "Call open() before you write to this store.");
    if (this.#incarnation !== memory.incarnation) {
      throw new StoreError("fenced", "Another store has taken this memory over. This one does not write any more.");
    }
    return memory;
  }

  #assertNotClosed(): void {
    if (this.#isClosed) throw new StoreError("closed", "This store is closed.");
  }

  #moment(): Moment {
    return { nowMs: this.#clock.now(), wallMs: this.#clock.wallNow() };
  }
}

function withOwnFrame<Message extends { readonly frame: Uint8Array }>(message: Message): Message {
  return { ...message, frame: new Uint8Array(message.frame) };
}

/** Whether commits take longer than one turn of the event loop may last. */
function isLarge(commits: readonly Commit[]): boolean {
  return commits.length > mailOfSlice || commits.some(({ mail }) => mail.length > mailOfSlice);
}

function* filtered<T>(items: Iterable<T>, isWanted: (item: T) => boolean): Iterable<T> {
  for (const item of items) if (isWanted(item)) yield item;
}

/** The first reminders of a list in the order of their times, as far as they are due before a time. */
function* until(reminders: Iterable<MemoryReminder>, beforeMs: number): Iterable<MemoryReminder> {
  for (const reminder of reminders) {
    if (reminder.dueMs >= beforeMs) return;
    yield reminder;
  }
}

function compareDue(a: Pick<StoredReminder, "dueMs" | "seq">, b: Pick<StoredReminder, "dueMs" | "seq">): number {
  return a.dueMs - b.dueMs || a.seq - b.seq;
}

function copyOfReminder({ agent, name, dueMs, rule, message, seq, attempts }: MemoryReminder): StoredReminder {
  return { agent, name, dueMs, rule, message: new Uint8Array(message), seq, attempts };
}
