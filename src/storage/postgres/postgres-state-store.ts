import { hostname } from "node:os";
import process from "node:process";
import {
  type AgentName,
  assertOptions,
  type Clock,
  type Commit,
  type CommitOutcome,
  type DueQuery,
  flag,
  type ListPage,
  type ListQuery,
  type Logger,
  limitOver,
  loggableText,
  type MailQuery,
  type OpenStoreOptions,
  optionShape,
  type RememberedMessage,
  type Settlements,
  type StateRecord,
  type StateStore,
  type StoredMail,
  type StoredReminder,
  StoreError,
  type StoreOpening,
  type StoreStats,
  storeLimits,
} from "../../core/internal.ts";
import { sizeOfCommit } from "../commit-size.ts";
import type { LockKeys } from "./agent-id.ts";
import type { Connections } from "./connections.ts";
import { type EncodedWrite, encodeCommit, encodeSettlements } from "./encode-writes.ts";
import { GroupQueue } from "./group-queue.ts";
import { Fenced, GroupWriter, resultsOf } from "./group-writer.ts";
import { HolderLock } from "./holder-lock.ts";
import { isOfConnection, toStoreError } from "./postgres-error.ts";
import { migrate, noSchemaError, readSchemaVersion, type SchemaPlace } from "./schema.ts";
import { Slots } from "./slots.ts";
import { type Read, TableReads } from "./table-reads.ts";

/** The parts of a `PostgresStateStore`. */
export interface PostgresStateStoreParts {
  readonly connections: Connections;
  /** Ends what the store has opened. */
  readonly endPool: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly writers: "one" | "many";
  readonly schema: SchemaPlace;
  readonly createsSchema: boolean;
  readonly locks: LockKeys;
  readonly maxQueuedBytes: number;
  readonly maxValueBytes: number;
  /** Reads that run at a time. */
  readonly mostReads: number;
  /** Names the store in errors. */
  readonly place: string;
}

const openShape = optionShape<OpenStoreOptions>({ takesOver: flag });
/** Bytes of a question that has no data. */
const smallAskBytes = 200;
/** Of 100 failures the first is logged. */
const failuresPerLine = 100;

/** A state store in a schema of a PostgreSQL database. */
export class PostgresStateStore implements StateStore {
  readonly writers: "one" | "many";
  readonly log = undefined;
  readonly #parts: PostgresStateStoreParts;
  readonly #reads: TableReads;
  readonly #readSlots: Slots;
  readonly #queue: GroupQueue;
  readonly #lock: HolderLock;
  /** Of the last opening; 0: never opened. */
  #incarnation = 0;
  /** Resolves when the last `open` has ended. */
  #opening: Promise<unknown> | undefined;
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
    this.#readSlots = new Slots(parts.mostReads);
    this.#lock = new HolderLock({ connections, clock, key: locks.holder, isShared: writers === "many" });
    const writer = new GroupWriter({
      ...{ connections, quotedSchema: schema.quoted, locks },
      opening: () => ({ writers, incarnation: this.#incarnation }),
      nowMs: () => clock.wallNow(),
      failure: (error) => this.#failure(error, true),
    });
    this.#queue = new GroupQueue((group) => writer.write(group));
  }

  /** Looks at the schema, and makes a new one. Rejects with a `StoreError`. */
  async start(): Promise<void> {
    const { connections, schema, createsSchema } = this.#parts;
    try {
      await connections.use(async (session) => {
        const version = await readSchemaVersion(session, schema);
        // An older program may hold tables of an older version, so that only `open` migrates them.
        if (version > 0) return;
        if (!createsSchema) throw noSchemaError(schema.schema, version);
        await migrate(session, schema);
      });
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

  commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const bytes = commits.reduce((sum, commit) => sum + sizeOfCommit(commit), smallAskBytes);
    return this.#ask(bytes, async () => {
      const nowMs = this.#parts.clock.wallNow();
      const limits = commits.map((commit) => limitOver(commit, this.#parts.maxValueBytes, storeLimits.nameCharacters));
      const allowed = commits.filter((_, index) => limits[index] === undefined);
      const results = await this.#write(allowed.map((commit) => encodeCommit(commit, nowMs)));
      let next = 0;
      return limits.map((limit) => (limit === undefined ? outcomeOf(results[next++]) : { at: "refused", limit }));
    });
  }

  remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined> {
    return this.#read(this.#reads.remembered(agent, id, principal, this.#parts.clock.wallNow()));
  }

  list(query: ListQuery = {}): Promise<ListPage> {
    return this.#read(this.#reads.list(query));
  }

  reminders(agent: AgentName): Promise<readonly StoredReminder[]> {
    return this.#read(this.#reads.reminders(agent));
  }

  due(query: DueQuery): Promise<readonly StoredReminder[]> {
    return this.#read(this.#reads.due(query));
  }

  mail(query: MailQuery): Promise<readonly StoredMail[]> {
    return this.#read(this.#reads.mail(query));
  }

  settle(done: Settlements): Promise<void> {
    const bytes = smallAskBytes * (1 + done.ticks.length + done.mail.length);
    return this.#ask(bytes, async () => void (await this.#write([encodeSettlements(done)])));
  }

  stats(): Promise<StoreStats> {
    return this.#read(this.#reads.stats());
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

  #read<T>({ statement, read }: Read<T>): Promise<T> {
    const { connections } = this.#parts;
    return this.#ask(smallAskBytes, () =>
      this.#readSlots.run(async () => {
        // A fenced store may read.
        if (this.#end?.storeCode === "corrupt") throw this.#end;
        try {
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

  async #write(writes: readonly EncodedWrite[]): Promise<readonly unknown[]> {
    await this.#opening;
    if (this.#end !== undefined) throw this.#end;
    if (this.#incarnation === 0) throw new StoreError("not-open", "Call open() before you write to this store.");
    return resultsOf(await this.#queue.add(writes));
  }

  async #open(takesOver: boolean): Promise<StoreOpening> {
    if (this.#end !== undefined) throw this.#end;
    try {
      if (!(await this.#lock.take()) && !takesOver) throw await this.#inUseError();
      await this.#migrate();
      const opening = await this.#takeOver(takesOver);
      this.#incarnation = opening.incarnation;
      this.#lock.keep();
      if (takesOver) this.#parts.logger?.warn("the state store was opened with takesOver", { ...opening });
      return opening;
    } catch (error) {
      if (this.#incarnation === 0) await this.#lock.release();
      throw this.#failure(error, true);
    }
  }

  async #migrate(): Promise<void> {
    const { connections, schema, createsSchema } = this.#parts;
    await connections.use(async (session) => {
      const version = await readSchemaVersion(session, schema);
      if (version === schema.steps.length) return;
      if (!createsSchema) throw noSchemaError(schema.schema, version);
      await migrate(session, schema);
    });
  }

  /** Makes the next incarnation, which ends the one before if one writes at a time. */
  async #takeOver(takesOver: boolean): Promise<StoreOpening> {
    const { connections, schema, locks, clock, writers } = this.#parts;
    const nowMs = clock.wallNow();
    const holder = JSON.stringify({ host: hostname(), pid: process.pid, since: new Date(nowMs).toISOString() });
    const seconds = Math.floor(nowMs / 1_000);
    const [row] = await connections.query({
      text: `select ${schema.quoted}.open_store($1, $2, $3, $4, $5, $6) as result`,
      values: [writers, locks.fence, seconds, holder, takesOver, this.#incarnation],
    });
    // What the function returns.
    const result = JSON.parse(row?.result ?? "null") as
      | StoreOpening
      | { readonly fenced: string }
      | { readonly writers: "one" | "many" };
    if ("fenced" in result) throw new Fenced(result.fenced);
    if ("writers" in result) throw this.#otherModeError(result.writers);
    return result;
  }

  /** Turns an error into a `StoreError`, and keeps it if the store ends with it. */
  #failure(error: unknown, isWrite: boolean): StoreError {
    const failure =
      error instanceof Fenced ? this.#fencedError(error.holder) : toStoreError(error, this.#parts.place, isWrite);
    if (failure.storeCode === "corrupt" || failure.storeCode === "fenced") this.#end ??= failure;
    if (failure.storeCode === "fenced") void this.#lock.release();
    if (failure.storeCode !== "in-use") {
      if (this.#failures % failuresPerLine === 0) {
        this.#parts.logger?.error("the state store failed", { error: failure, failures: this.#failures + 1 });
      }
      this.#failures += 1;
    }
    return failure;
  }

  #fencedError(holder: string): StoreError {
    const text = `Another store has taken the state store ${this.#parts.place}: ${holderText(holder)}.`;
    return new StoreError("fenced", `${text} This one does not write to it any more.`);
  }

  async #inUseError(): Promise<StoreError> {
    const { connections, schema, place } = this.#parts;
    const [row] = await connections.query({ text: `select holder from ${schema.quoted}.meta`, values: [] });
    const text = `The state store ${place} is in use by ${holderText(row?.holder ?? "")}.`;
    const advice = "Stop that program, or open the store with takesOver if it is gone.";
    return new StoreError("in-use", `${text} ${advice}`);
  }

  #otherModeError(writers: "one" | "many"): StoreError {
    const { place } = this.#parts;
    const text = `The state store ${place} belongs to stores with writers: "${writers}".`;
    const advice = `Open it so. If no such program runs any more, open it with takesOver.`;
    return new StoreError("in-use", `${text} ${advice}`);
  }

  async #close(): Promise<void> {
    if (this.#asked > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#lock.release();
    await this.#parts.endPool();
  }
}

/** Describes a holder as it has written itself down. */
function holderText(holder: string): string {
  try {
    const { host, pid, since } = JSON.parse(holder);
    return loggableText(`process ${pid} on ${host} since ${since}`);
  } catch {
    return "another process";
  }
}

/** Reads a result of `write_group`. */
function outcomeOf(result: unknown): CommitOutcome {
  if (!Array.isArray(result)) {
    // A commit that PostgreSQL has refused for a limit of its own.
    return { at: "refused", limit: (result as { readonly refused: string }).refused };
  }
  const [code, first, second, third] = result;
  switch (code) {
    case 0:
      return { at: "committed", eTag: first, revision: second };
    case 1:
      return { at: "conflict", eTag: first ?? undefined };
    case 2:
      return { at: "stale", epoch: { generation: first, era: second, number: third } };
    default:
      return { at: "refused", limit: `${storeLimits.reminders} reminders of one agent` };
  }
}
