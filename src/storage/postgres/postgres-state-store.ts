import {
  type AgentName,
  assertOptions,
  type Commit,
  type CommitOutcome,
  type DueQuery,
  type DurableLog,
  flag,
  type LargerState,
  type ListPage,
  type ListQuery,
  type Logger,
  letterSize,
  limitOver,
  type MailBounds,
  type MailQuery,
  type MailTable,
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
  StoreLog,
  type StoreOpening,
  type StoreStats,
  storeLimits,
} from "../../core/internal.ts";
import { sizeOfCommit } from "../commit-size.ts";
import { bytesOfSettlements, bytesOfTexts, entryBytes } from "../waiting-bytes.ts";
import type { Statement } from "./connections.ts";
import { type Encoding, EncodingOrder, encodeCommits } from "./encode-in-turns.ts";
import { decodeOutcome, encodeSettlements } from "./encode-writes.ts";
import { GroupQueue } from "./group-queue.ts";
import { Fenced, GroupWriter, resultsOf } from "./group-writer.ts";
import { LogReads } from "./log-reads.ts";
import { createMailTable, encodeSweep, UnsweptLetters } from "./mail-table.ts";
import { isOfConnection, toStoreError } from "./postgres-error.ts";
import { RunReads } from "./run-reads.ts";
import { Slots } from "./slots.ts";
import { fencedError, StoreOpener, type StoreOpenerParts } from "./store-opener.ts";
import { type Read, TableReads } from "./table-reads.ts";

/** The parts of a `PostgresStateStore`. */
export interface PostgresStateStoreParts extends StoreOpenerParts {
  /** Ends what the store has opened. */
  readonly endPool: () => Promise<void>;
  readonly logger: Logger | undefined;
  readonly maxQueuedBytes: number;
  readonly maxValueBytes: number;
  readonly mail: MailBounds;
  /** Reads that run at a time. */
  readonly mostReads: number;
}

const openShape = optionShape<OpenStoreOptions>({ takesOver: flag });
/** Bytes of a question that has no data. */
const smallAskBytes = 200;
/** Of 100 failures the first is logged. */
const failuresPerLine = 100;

/** A state store in a schema of a PostgreSQL database. */
export class PostgresStateStore implements StateStore {
  readonly writers: "one" | "many";
  /** The mailboxes, if one store writes at a time. */
  readonly log: DurableLog | undefined;
  readonly #ownLog: StoreLog | undefined;
  readonly #parts: PostgresStateStoreParts;
  readonly #reads: TableReads;
  readonly #runs: RunReads;
  readonly #readSlots: Slots;
  readonly #unswept = new UnsweptLetters();
  readonly #queue: GroupQueue;
  readonly #order = new EncodingOrder();
  readonly #opener: StoreOpener;
  /** Of the last opening; 0: never opened. */
  #incarnation = 0;
  /** Resolves when the last `open` has ended. */
  #opening: Promise<unknown> | undefined;
  /** Whether the server may still carry out a write whose connection was lost. */
  #isInDoubt = false;
  #settling: Promise<void> | undefined;
  /** The error with which a store ends that is damaged or fenced. */
  #end: StoreError | undefined;
  #asked = 0;
  #queuedBytes = 0;
  #failures = 0;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(parts: PostgresStateStoreParts) {
    const { connections, clock, writers, schema, locks } = parts;
    this.#parts = parts;
    this.writers = writers;
    this.#reads = new TableReads(schema.quoted);
    this.#runs = new RunReads(schema.quoted);
    this.#readSlots = new Slots(parts.mostReads);
    this.#opener = new StoreOpener(parts);
    const writer = new GroupWriter({
      ...{ connections, quotedSchema: schema.quoted, locks },
      opening: () => ({ writers, incarnation: this.#incarnation }),
      settled: () => this.#settled(),
      nowMs: () => clock.wallNow(),
      failure: (error) => this.#failure(error, true),
    });
    this.#queue = new GroupQueue((group) => writer.write(group));
    this.#ownLog = writers === "one" ? new StoreLog(this.#mailTable()) : undefined;
    this.log = this.#ownLog;
  }

  /** Looks at the schema, and makes a new one. Rejects with a `StoreError`. */
  async start(): Promise<void> {
    try {
      await this.#opener.look();
    } catch (error) {
      throw toStoreError(error, this.#parts.place, false);
    }
  }

  open(options: OpenStoreOptions = {}): Promise<StoreOpening> {
    return this.#ask(smallAskBytes, async () => {
      assertOptions(options, openShape, "open");
      const { takesOver = false } = options;
      const opening = (this.#opening ?? Promise.resolve()).then(() => this.#open(takesOver));
      const ended = opening.catch(() => undefined);
      this.#opening = ended;
      void ended.then(() => {
        if (this.#opening === ended) this.#opening = undefined;
      });
      return opening;
    });
  }

  load(
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | "unchanged" | undefined> {
    return this.#read(this.#reads.load(agent, options.unless));
  }

  loadUpTo(
    maxBytes: number,
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | LargerState | "unchanged" | undefined> {
    return this.#read(this.#reads.loadUpTo(maxBytes, agent, options.unless));
  }

  commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const bytes = commits.reduce((sum, commit) => sum + sizeOfCommit(commit), smallAskBytes);
    const log = this.#ownLog;
    const hasMail = log !== undefined && commits.some(({ mail }) => mail.length > 0);
    const written = this.#ask(bytes, () => this.#commit(commits));
    return hasMail ? log.wakeAfter(written) : written;
  }

  async #commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const { clock, maxValueBytes, mail: bounds } = this.#parts;
    const limits = commits.map((commit) => limitOver(commit, maxValueBytes, storeLimits.nameCharacters));
    const allowed = commits.filter((_, index) => limits[index] === undefined);
    // Of many writers the mail is an outbox, which has no mailboxes.
    const moment = { nowMs: clock.wallNow(), bounds, hasMailboxes: this.#ownLog !== undefined };
    const encoding = encodeCommits(allowed, moment);
    const results = await this.#write(encoding);
    const encoded = await encoding;
    let next = -1;
    const outcomes = commits.map((commit, index): CommitOutcome => {
      const limit = limits[index];
      if (limit !== undefined) return { at: "refused", limit };
      next += 1;
      return decodeOutcome(results[next], commit, { bounds, receivers: encoded[next]?.receivers ?? [] });
    });
    return this.#sweptAfter(commits, outcomes);
  }

  /** Forgets dead letters beyond their bound, when commits have added some. One of these commits says how many. */
  async #sweptAfter(commits: readonly Commit[], outcomes: readonly CommitOutcome[]): Promise<readonly CommitOutcome[]> {
    let bytes = 0;
    let last = -1;
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.at !== "committed" || outcome.buriedMail === undefined) continue;
      last = index;
      for (const at of outcome.buriedMail) bytes += letterSize(commits[index]?.mail[at]?.frame.length ?? 0);
    }
    if (bytes === 0 || !this.#unswept.add(bytes)) return outcomes;
    // A sweep that fails is made up for by the next one.
    const [forgotten] = await this.#write([encodeSweep()]).catch(() => [0]);
    return outcomes.map((outcome, index) =>
      index === last && outcome.at === "committed" && Number(forgotten) > 0
        ? { ...outcome, forgottenLetters: Number(forgotten) }
        : outcome,
    );
  }

  remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined> {
    // The statement has only their hash; the answer has them as they are.
    const bytes = bytesOfTexts(id, principal);
    return this.#read(this.#reads.remembered(agent, id, principal, this.#parts.clock.wallNow()), bytes);
  }

  list(query: ListQuery = {}): Promise<ListPage> {
    return this.#read(this.#reads.list(query));
  }

  reminders(agent: AgentName, query: ReminderQuery = {}): Promise<readonly StoredReminder[]> {
    return this.#read(this.#reads.reminders(agent, query));
  }

  due(query: DueQuery): Promise<readonly StoredReminder[]> {
    return this.#read(this.#reads.due(query));
  }

  mail(query: MailQuery): Promise<readonly StoredMail[]> {
    return this.#read(this.#reads.mail(query));
  }

  readRun(run: RunName, query: RunPageQuery = {}): Promise<RunPage | undefined> {
    return this.#read(this.#runs.page(run, query, this.#parts.clock.wallNow()));
  }

  listRuns(query: RunQuery = {}): Promise<RunList> {
    return this.#read(this.#runs.list(query, this.#parts.clock.wallNow()));
  }

  settle(done: Settlements): Promise<void> {
    const bytes = bytesOfSettlements(done, smallAskBytes);
    return this.#ask(bytes, async () => void (await this.#write([encodeSettlements(done)])));
  }

  stats(): Promise<StoreStats> {
    return this.#read(this.#reads.stats());
  }

  #mailTable(): MailTable {
    const { clock, schema, mail: bounds, maxValueBytes } = this.#parts;
    return createMailTable({
      ...{ reads: new LogReads(schema.quoted), bounds, maxValueBytes, unswept: this.#unswept },
      nowMs: () => clock.wallNow(),
      read: async (read) => {
        // Another store delivers the mail that this one would read.
        if (this.#end !== undefined) throw this.#end;
        return this.#read(read);
      },
      write: (bytes, encode) => this.#ask(bytes, () => this.#write(encode())),
      wakeAfter: (written) => this.#ownLog?.wakeAfter(written) ?? written,
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Answers a question within the bound of bytes. `answer` copies what it needs before it waits. */
  async #ask<T>(bytes: number, answer: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StoreError("closed", "This store is closed.");
    const { maxQueuedBytes } = this.#parts;
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > maxQueuedBytes) {
      const text = `More than ${maxQueuedBytes} bytes would wait for the state store. Ask again later.`;
      throw new StoreError("overloaded", text);
    }
    this.#asked += 1;
    this.#queuedBytes += bytes;
    try {
      return await answer();
    } finally {
      this.#asked -= 1;
      this.#queuedBytes -= bytes;
      if (this.#asked === 0) this.#onIdle?.();
    }
  }

  /** `moreBytes`: what waits beside the statement. */
  #read<T>({ statement, read }: Read<T>, moreBytes = 0): Promise<T> {
    const { connections } = this.#parts;
    return this.#ask(smallAskBytes + moreBytes + sizeOfStatement(statement), () =>
      this.#readSlots.run(async () => {
        // A fenced store may read.
        if (this.#end?.storeCode === "corrupt") throw this.#end;
        try {
          await this.#settled();
          // The server may have closed a connection that was idle: another one answers.
          const again = (error: unknown) => {
            if (isOfConnection(error)) return connections.query(statement);
            throw error;
          };
          return read(await connections.query(statement).catch(again));
        } catch (error) {
          throw this.#failure(error, false);
        }
      }),
    );
  }

  async #write(encoding: Encoding): Promise<readonly unknown[]> {
    const writes = await (this.#order.wait(encoding) ?? encoding);
    await this.#opening;
    if (this.#end !== undefined) throw this.#end;
    if (this.#incarnation === 0) throw new StoreError("not-open", "Call open() before you write to this store.");
    return resultsOf(await this.#queue.add(writes));
  }

  async #open(takesOver: boolean): Promise<StoreOpening> {
    if (this.#end !== undefined) throw this.#end;
    try {
      const opening = await this.#opener.open(takesOver, this.#incarnation);
      this.#incarnation = opening.incarnation;
      if (takesOver) this.#parts.logger?.warn("the state store was opened with takesOver", { ...opening });
      return opening;
    } catch (error) {
      throw this.#failure(error, true);
    }
  }

  /** After `unknown`, nothing is read or written before it is certain what became of that write. */
  async #settled(): Promise<void> {
    if (!this.#isInDoubt) return;
    this.#settling ??= this.#renew().finally(() => {
      this.#settling = undefined;
    });
    await this.#settling;
  }

  async #renew(): Promise<void> {
    try {
      const { incarnation } = await this.#opener.renew(this.#incarnation);
      this.#incarnation = incarnation;
    } catch (error) {
      // What waits for this was not sent.
      if (!(error instanceof Fenced)) throw toStoreError(error, this.#parts.place, false);
      this.#failure(error, true);
    }
    this.#isInDoubt = false;
  }

  /** Turns an error into a `StoreError`, and keeps it if the store ends with it. */
  #failure(error: unknown, isWrite: boolean): StoreError {
    const failure =
      error instanceof Fenced
        ? fencedError(this.#parts.place, error.holder)
        : toStoreError(error, this.#parts.place, isWrite);
    if (failure.storeCode === "corrupt" || failure.storeCode === "fenced") this.#end ??= failure;
    if (failure.storeCode === "unknown" && this.#incarnation !== 0) this.#isInDoubt = true;
    if (failure.storeCode === "fenced") void this.#opener.release();
    if (failure.storeCode !== "in-use") {
      if (this.#failures % failuresPerLine === 0) {
        this.#parts.logger?.error("the state store failed", { error: failure, failures: this.#failures + 1 });
      }
      this.#failures += 1;
    }
    return failure;
  }

  async #close(): Promise<void> {
    if (this.#asked > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#opener.release();
    await this.#parts.endPool();
  }
}

/** Returns about how many bytes a statement and its values have. */
function sizeOfStatement({ text, values }: Statement): number {
  return values.reduce<number>((sum, value) => sum + sizeOfValue(value), text.length);
}

function sizeOfValue(value: unknown): number {
  if (typeof value === "string") return 2 * value.length;
  if (value instanceof Uint8Array) return value.length;
  // A list has only numbers.
  return Array.isArray(value) ? entryBytes * value.length : entryBytes;
}
