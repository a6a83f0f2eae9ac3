import {
  type AgentName,
  assertOptions,
  type Clock,
  type Commit,
  type CommitOutcome,
  type DueQuery,
  type DurableLog,
  flag,
  type LargerState,
  type ListPage,
  type ListQuery,
  type Logger,
  type MailBounds,
  type MailQuery,
  NumberMap,
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
  type Timer,
} from "../../core/internal.ts";
import { sizeOfCommit } from "../commit-size.ts";
import { bytesOfName, bytesOfSettlements, bytesOfTexts, entryBytes } from "../waiting-bytes.ts";
import { copyOfCommit, copyOfCommitAlone, copyOfName, copyOfSettlements } from "./ask-copies.ts";
import { AskSender, type Sendable } from "./ask-sender.ts";
import { type Answers, type Ask, isWrite, type Kind, type Questions, type Reply, smallAskBytes } from "./asks.ts";
import { type Executor, type ExecutorEvents, toError } from "./executor.ts";
import { isMuch, MailParts } from "./mail-parts.ts";
import { createMailTable } from "./mail-table.ts";
import { commitAlone } from "./packed-asks.ts";

/** The parts of a `SqliteStateStore`. */
export interface SqliteStateStoreParts {
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly maxQueuedBytes: number;
  readonly mail: MailBounds;
  /** Starts what answers. `heldIncarnation`: that of the executor before, which was lost. */
  readonly start: (heldIncarnation: number, events: ExecutorEvents) => Promise<Executor>;
}

/** A question without its answer. */
interface Pending extends Sendable {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: StoreError) => void;
}

const openShape = optionShape<OpenStoreOptions>({ takesOver: flag });
/** SQLite stores no longer value. */
const longestData = 2 ** 31 - 1;
/** Milliseconds between two looks whether the file is still there. */
const lookEveryMs = 30_000;
const noMail: readonly never[] = [];
/** Of 100 failures the first is logged. */
const failuresPerLine = 100;

/** SQLite before this version has a rare fault: two connections that write or checkpoint at the same moment may damage the file. */
const soundVersion = "3.51.3";

/** A state store whose database an executor asks, in a thread or in this one. */
export class SqliteStateStore implements StateStore {
  readonly writers = "one";
  readonly log: DurableLog;
  readonly #ownLog: StoreLog;
  readonly #parts: SqliteStateStoreParts;
  readonly #pending = new NumberMap<Pending>();
  readonly #sender = new AskSender<Pending>({
    executor: () => this.#ensureRunning(),
    isRunning: (executor) => this.#running === executor,
    refuse: ({ ask }, error) => this.#settle(ask.id, ({ reject }) => reject(error)),
  });
  #executor: Promise<Executor> | undefined;
  #running: Executor | undefined;
  /** Of the last opening; 0: never opened. */
  #incarnation = 0;
  #lastId = 0;
  #queuedBytes = 0;
  #failures = 0;
  #lookTimer: Timer | undefined;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(parts: SqliteStateStoreParts) {
    this.#parts = parts;
    const mailTable = createMailTable({
      nowMs: () => this.#nowMs(),
      bounds: parts.mail,
      ask: (kind, question, bytes) => this.#ask(kind, question, bytes),
      settle: (done) => this.settle(done),
      wakeAfter: (written) => this.#ownLog.wakeAfter(written),
    });
    this.#ownLog = new StoreLog(mailTable);
    this.log = this.#ownLog;
  }

  /** Opens the file. Rejects with a `StoreError`. */
  async start(): Promise<void> {
    const { sqliteVersion } = await this.#ensureRunning();
    if (isOlder(sqliteVersion, soundVersion)) {
      const text =
        "this SQLite may damage a file to which two programs write: let no other program write to the state store";
      this.#parts.logger?.warn(text, { sqliteVersion });
    }
    this.#lookLater();
  }

  async open(options: OpenStoreOptions = {}): Promise<StoreOpening> {
    assertOptions(options, openShape, "open");
    const { takesOver = false } = options;
    const opening = await this.#ask("open", { takesOver, nowMs: this.#nowMs() });
    this.#incarnation = opening.incarnation;
    if (takesOver) this.#parts.logger?.warn("the state store was opened with takesOver", { ...opening });
    return opening;
  }

  async load(
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | "unchanged" | undefined> {
    const loaded = await this.loadUpTo(longestData, agent, options);
    // No data is longer than that.
    return loaded as Exclude<typeof loaded, LargerState>;
  }

  async loadUpTo(
    maxBytes: number,
    agent: AgentName,
    options: { readonly unless?: string | undefined } = {},
  ): Promise<StateRecord | LargerState | "unchanged" | undefined> {
    const most = Math.min(maxBytes, longestData);
    const { unless } = options;
    const bytes = smallAskBytes + bytesOfName(agent) + bytesOfTexts(unless);
    return this.#ask("load", { agent: copyOfName(agent), unless, maxBytes: most }, bytes);
  }

  async commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const bytes = commits.reduce((sum, commit) => sum + sizeOfCommit(commit), smallAskBytes);
    const hasMail = commits.some(({ mail }) => mail.length > 0);
    const alone = commitAlone(commits);
    const hasParts = commits.some(({ mail }) => isMuch(mail));
    const others = hasParts ? commits.map((one) => (isMuch(one.mail) ? { ...one, mail: noMail } : one)) : commits;
    const copies = () => (alone === undefined ? others.map(copyOfCommit) : [copyOfCommitAlone(alone)]);
    const mailParts = hasParts ? () => new MailParts(commits) : undefined;
    const asked = this.#ask("commit", () => ({ commits: copies(), nowMs: this.#nowMs() }), bytes, mailParts);
    return hasMail ? this.#ownLog.wakeAfter(asked) : asked;
  }

  async remembered(agent: AgentName, messageId: string, principal: string): Promise<RememberedMessage | undefined> {
    const bytes = smallAskBytes + bytesOfName(agent) + bytesOfTexts(messageId, principal);
    return this.#ask("remembered", { agent: copyOfName(agent), messageId, principal, nowMs: this.#nowMs() }, bytes);
  }

  async list({ type, keyPrefix, after, limit }: ListQuery = {}): Promise<ListPage> {
    const bytes = smallAskBytes + bytesOfTexts(type, keyPrefix) + bytesOfName(after);
    return this.#ask("list", { query: { type, keyPrefix, limit, after: after && copyOfName(after) } }, bytes);
  }

  async reminders(agent: AgentName, { after, maxBytes }: ReminderQuery = {}): Promise<readonly StoredReminder[]> {
    const bytes = smallAskBytes + bytesOfName(agent) + bytesOfTexts(after);
    return this.#ask("reminders", { agent: copyOfName(agent), query: { after, maxBytes } }, bytes);
  }

  async due({ beforeMs, shards, after, limit, maxBytes }: DueQuery): Promise<readonly StoredReminder[]> {
    const from = after && { dueMs: after.dueMs, seq: after.seq };
    const bytes = smallAskBytes + entryBytes * (shards?.length ?? 0);
    const query = { beforeMs, shards: shards && [...shards], after: from, limit, maxBytes };
    return this.#ask("due", { query }, bytes);
  }

  async mail({ shards, after, limit, maxBytes }: MailQuery): Promise<readonly StoredMail[]> {
    const bytes = smallAskBytes + entryBytes * (shards?.length ?? 0);
    return this.#ask("mail", { query: { shards: shards && [...shards], after, limit, maxBytes } }, bytes);
  }

  async readRun({ agent, id }: RunName, { from, maxBytes, message }: RunPageQuery = {}): Promise<RunPage | undefined> {
    const bytes = smallAskBytes + bytesOfName(agent) + bytesOfTexts(id);
    const run = { agent: copyOfName(agent), id };
    return this.#ask("readRun", { run, query: { from, maxBytes, message }, nowMs: this.#nowMs() }, bytes);
  }

  async listRuns({ agent, type, status, after, limit }: RunQuery = {}): Promise<RunList> {
    const bytes = smallAskBytes + bytesOfName(agent) + bytesOfName(after?.agent) + bytesOfTexts(type, after?.id);
    const from = after && { agent: copyOfName(after.agent), id: after.id };
    const query = { agent: agent && copyOfName(agent), type, status, after: from, limit };
    return this.#ask("listRuns", { query, nowMs: this.#nowMs() }, bytes);
  }

  async settle(done: Settlements): Promise<void> {
    const bytes = bytesOfSettlements(done, smallAskBytes);
    return this.#ask("settle", () => ({ done: copyOfSettlements(done) }), bytes);
  }

  async stats(): Promise<StoreStats> {
    return this.#ask("stats", {});
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Asks a question. Its bytes are copied within this call. */
  #ask<K extends Kind>(
    kind: K,
    question: Questions[K] | (() => Questions[K]),
    bytes: number = smallAskBytes,
    mailParts?: () => MailParts,
  ): Promise<Answers[K]> {
    if (this.#closing !== undefined) return Promise.reject(new StoreError("closed", "This store is closed."));
    const { maxQueuedBytes } = this.#parts;
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > maxQueuedBytes) {
      const text = `More than ${maxQueuedBytes} bytes would wait for the state store. Ask again later.`;
      return Promise.reject(new StoreError("overloaded", text));
    }
    return new Promise((resolve, reject) => {
      const content = typeof question === "function" ? question() : question;
      this.#lastId += 1;
      // The kind and the question belong together, which TypeScript loses in the union. The spread is last: V8 is slow when fields follow
      // a spread.
      const ask = { kind, id: this.#lastId, bytes, ...content } as unknown as Ask;
      // The executor's answer to this kind of question.
      const answer = (value: unknown): void => resolve(value as Answers[K]);
      this.#gather({ ask, resolve: answer, reject, mailParts: mailParts?.(), isSent: false });
    });
  }

  #gather(pending: Pending): void {
    this.#queuedBytes += pending.ask.bytes;
    if (this.#pending.size === 0) this.#running?.keepAlive(true);
    this.#pending.add(pending.ask.id, pending);
    this.#sender.add(pending);
  }

  /** Starts an executor if there is none. One after another that was lost opens the store again, unless another process has it. */
  #ensureRunning(): Promise<Executor> {
    this.#executor ??= this.#startExecutor().catch((error: unknown) => {
      const isOver = error instanceof StoreError && error.storeCode === "fenced";
      if (!isOver) this.#executor = undefined;
      throw error;
    });
    return this.#executor;
  }

  async #startExecutor(): Promise<Executor> {
    let onReopened: ((reply: Reply) => void) | undefined;
    const executor = await this.#parts.start(this.#incarnation, {
      onReplies: (replies) => {
        for (const reply of replies) {
          if (reply.id === 0) onReopened?.(reply);
          else this.#takeReply(reply);
        }
      },
      onLost: (error) => {
        const { storeCode, message } = error;
        onReopened?.({ id: 0, failure: { storeCode, message } });
        this.#lose(error);
      },
    });
    if (this.#incarnation !== 0) {
      const reopened = new Promise<Reply>((resolve) => {
        onReopened = resolve;
      });
      executor.send([{ kind: "open", id: 0, bytes: 0, takesOver: false, nowMs: this.#nowMs() }]);
      const reply = await reopened;
      if ("failure" in reply) {
        await executor.stop();
        throw toError(reply.failure);
      }
      // The executor answers `open` with this.
      this.#incarnation = (reply.value as StoreOpening).incarnation;
    }
    this.#running = executor;
    executor.keepAlive(this.#pending.size > 0);
    return executor;
  }

  /** Rejects the questions that were sent: they may have been answered. The others go to the next executor. */
  #lose(error: StoreError): void {
    this.#executor = undefined;
    this.#running = undefined;
    this.#parts.logger?.error("the thread of the state store is lost", { error });
    for (const { ask, isSent } of this.#pending.values()) {
      if (!isSent) continue;
      const isDone = isWrite(ask) || ask.kind === "open";
      const failure = isDone ? new StoreError("unknown", `${error.message} The commit may have happened.`) : error;
      this.#settle(ask.id, ({ reject }) => reject(failure));
    }
  }

  #takeReply(reply: Reply): void {
    this.#settle(reply.id, ({ resolve, reject }) => {
      if ("value" in reply) return resolve(reply.value);
      const error = toError(reply.failure);
      this.#noteFailure(error);
      reject(error);
    });
  }

  #settle(id: number, end: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#queuedBytes -= pending.ask.bytes;
    end(pending);
    if (this.#pending.size > 0) return;
    this.#running?.keepAlive(false);
    this.#onIdle?.();
  }

  #noteFailure(error: StoreError): void {
    if (error.storeCode === "not-open" || error.storeCode === "in-use") return;
    if (this.#failures % failuresPerLine === 0) {
      this.#parts.logger?.error("the state store failed", { error, failures: this.#failures + 1 });
    }
    this.#failures += 1;
  }

  #lookLater(): void {
    this.#lookTimer = this.#parts.clock.setTimer(lookEveryMs, () => {
      void this.#ask("look", {}).catch(() => undefined);
      this.#lookLater();
    });
  }

  async #close(): Promise<void> {
    this.#lookTimer?.cancel();
    if (this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    const executor = await this.#executor?.catch(() => undefined);
    if (executor === undefined) return;
    this.#lastId += 1;
    const ask = { kind: "close", id: this.#lastId, bytes: 0 } as const;
    const closed = new Promise<void>((resolve) => {
      const end = (): void => resolve();
      this.#pending.add(ask.id, { ask, resolve: end, reject: end, mailParts: undefined, isSent: true });
    });
    executor.keepAlive(true);
    executor.send([ask]);
    await closed;
    await executor.stop();
  }

  #nowMs(): number {
    return this.#parts.clock.wallNow();
  }
}

/** Whether a version is older than another one. */
export function isOlder(version: string, other: string): boolean {
  const [parts, others] = [version, other].map((text) => text.split(".").map(Number));
  // Not by `localeCompare`, whose first call takes 100 ms.
  const at = parts?.findIndex((part, index) => part !== others?.[index]) ?? -1;
  return at >= 0 && (parts?.[at] ?? 0) < (others?.[at] ?? 0);
}
