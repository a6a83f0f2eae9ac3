import type { Clock, Timer } from "../clock.ts";
import { loggableError } from "../delivery/loggable.ts";
import { TroupeError } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import type { AgentName } from "../state/agent-name.ts";
import type { DurableLog, DurableMessage, ShardHold } from "../state/durable-log.ts";
import type { Commit, CommitOutcome, StateStore } from "../state/state-store.ts";
import { StoreError } from "../state/store-error.ts";
import type { Deliver } from "./courier-call.ts";
import { CourierSlots } from "./courier-slots.ts";
import { MailboxDelivery } from "./mailboxes/mailbox-delivery.ts";
import type { CommitListener, Decided } from "./observed-store.ts";
import { CronTurns } from "./reminders/cron-turns.ts";
import { ReminderFiring } from "./reminders/reminder-firing.ts";
import type { ReminderRule } from "./reminders/reminder-rule.ts";
import { type CronPatterns, dueAfter } from "./reminders/when.ts";
import { type RetryOptions, retrySettings } from "./retry-policy.ts";

/** The parts of a `Courier`. */
export interface CourierParts {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  readonly deliver: Deliver;
  /** Returns the peer address of the worker that serves an agent. Empty: none does. Undefined: this process has all agents. */
  readonly partyOf?: ((agent: AgentName) => string) | undefined;
  /** Whether agents of a type can be reached. Undefined: they can. */
  readonly isServed?: ((agentType: string) => boolean) | undefined;
  /** Undefined: reminders with cron patterns can't be fired. */
  readonly cron: CronPatterns | undefined;
  readonly retry: RetryOptions | undefined;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
  /** Called when the first message of a mailbox begins to be under way, and when the last one has ended. */
  readonly onBusy: (isBusy: boolean) => void;
}

/** Numbers of a courier, which only grow. */
export interface CourierCounters {
  readonly mailDelivered: number;
  readonly deadLetters: number;
  /** Dead letters that were forgotten because all had too many bytes. */
  readonly forgottenLetters: number;
  readonly remindersFired: number;
  readonly remindersFailed: number;
}

const retakeMs = 2_000;

/**
 * Delivers the mail of a store and fires its reminders, as calls. This process holds the store. The courier has to hear of each commit:
 * commit through an `ObservedStore`.
 */
export class Courier implements CommitListener {
  readonly #parts: CourierParts;
  readonly #reminders: ReminderFiring;
  readonly #cronTurns: CronTurns;
  readonly #mail: MailboxDelivery | undefined;
  readonly #holds = new Map<number, ShardHold>();
  #token = 0;
  #forgottenLetters = 0;
  #retakeTimer: Timer | undefined;
  #state: "idle" | "running" | "stopped" = "idle";

  constructor(parts: CourierParts) {
    this.#parts = parts;
    const { store, clock, logger, deliver, cron, random, onBusy } = parts;
    const { log } = store;
    const slots = new CourierSlots();
    this.#cronTurns = new CronTurns(clock);
    const settings = retrySettings(parts.retry);
    const useOf = (agent: AgentName, bytes: number) => ({
      ...{ party: parts.partyOf?.(agent) ?? "", agentType: agent.type, bytes },
    });
    const { isServed = () => true } = parts;
    const holdOf = (shard: number) => this.#holds.get(shard);
    const bury =
      log && (async (...letter: Parameters<DurableLog["bury"]>) => this.#noteForgotten(await log.bury(...letter)));
    this.#mail =
      log &&
      bury &&
      new MailboxDelivery({
        ...{ log, bury, clock, logger, settings, random, slots, useOf, isServed, deliver, holdOf, onBusy },
      });
    const onLost = (error: StoreError) => this.#lose(error);
    this.#reminders = new ReminderFiring({
      store,
      clock,
      cron,
      cronTurns: this.#cronTurns,
      logger,
      settings,
      random,
      slots,
      useOf,
      deliver,
      bury,
      onLost,
    });
  }

  get counters(): CourierCounters {
    return {
      mailDelivered: this.#mail?.delivered ?? 0,
      deadLetters: this.#mail?.buried ?? 0,
      forgottenLetters: this.#forgottenLetters,
      remindersFired: this.#reminders.fired,
      remindersFailed: this.#reminders.failed,
    };
  }

  #noteForgotten(count: number): void {
    if (count === 0) return;
    this.#forgottenLetters += count;
    const letters = count === 1 ? "1 dead letter was" : `${count} dead letters were`;
    const text = `${letters} forgotten: all have too many bytes. The oldest go, of the agent types that have the most.`;
    this.#parts.logger.warn(`${text} See troupe dead list.`);
  }

  /** Begins. `token` is the store's incarnation: a higher one takes the mail from a lower one. Does nothing the second time. */
  async start(token: number): Promise<void> {
    if (this.#state !== "idle") return;
    this.#state = "running";
    this.#token = token;
    // An incarnation is at least the seconds of the wall clock at its opening.
    this.#reminders.start(token * 1_000);
    await this.#takeShards();
  }

  /** Ends. What is under way is not settled, and comes again when a courier of this store starts. */
  stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#retakeTimer?.cancel();
    this.#reminders.stop();
    this.#mail?.stop();
    for (const hold of this.#holds.values()) hold.leave().catch(() => undefined);
    this.#holds.clear();
  }

  /** Keeps a message for an agent. Rejects with a `StoreError`; as `not-accessible` if the store has no mailboxes. */
  async keep(mailbox: AgentName, message: DurableMessage): Promise<"kept" | "known" | "full"> {
    const { log } = this.#parts.store;
    if (log === undefined) throw noMailboxes();
    this.#mail?.expect(mailbox, message.id);
    let outcome: "kept" | "known" | "full" | undefined;
    try {
      outcome = await log.append(mailbox, message);
      return outcome;
    } finally {
      if (outcome !== "kept") this.#mail?.expectNoMore(mailbox, message.id);
    }
  }

  /** Rejects as `invalid-argument` if the cron pattern of a rule can't be read. */
  async checkPattern(agentType: string, { repeats, dueMs }: ReminderRule): Promise<void> {
    await this.#cronTurns.run(agentType, () => dueAfter(repeats, dueMs, this.#parts.cron));
  }

  onCommitting(commits: readonly Commit[]): void {
    for (const { mail } of commits) for (const { receiver, id } of mail) this.#mail?.expect(receiver, id);
  }

  onDecided(commits: readonly Commit[], outcomes: Decided): void {
    for (const [index, commit] of commits.entries()) {
      this.#noteCommit(commit, typeof outcomes === "string" ? outcomes : (outcomes[index] ?? "unknown"));
    }
  }

  #noteCommit(commit: Commit, outcome: CommitOutcome | "failed" | "unknown"): void {
    if (outcome === "unknown") {
      if (commit.write.at === "delete") this.#mail?.readAgain(commit.agent);
      this.#reminders.noteUnknown(commit);
    }
    if (typeof outcome === "object" && outcome.at === "committed") {
      if (commit.write.at === "delete") this.#mail?.drop(commit.agent);
      this.#reminders.noteCommit(commit);
      for (const index of outcome.knownMail ?? []) {
        const known = commit.mail[index];
        if (known !== undefined) this.#mail?.expectNoMore(known.receiver, known.id);
      }
      return;
    }
    for (const { receiver, id } of commit.mail) this.#mail?.expectNoMore(receiver, id);
  }

  async #takeShards(): Promise<void> {
    const { log } = this.#parts.store;
    const mail = this.#mail;
    if (log === undefined || mail === undefined) return;
    try {
      for (let shard = 0; shard < log.shards && this.#state === "running"; shard += 1) {
        const hold = await log.take(shard, this.#token, {
          onMessage: (message) => mail.take(message),
          onLost: (reason) => this.#loseShard(shard, reason),
        });
        if (this.#state === "running") this.#holds.set(shard, hold);
        else await hold.leave();
      }
    } catch (error) {
      this.#loseShard(0, error);
    }
  }

  /** All shards are taken again together, unless the store is lost. */
  #loseShard(shard: number, reason: unknown): void {
    this.#holds.delete(shard);
    if (this.#state !== "running" || this.#retakeTimer !== undefined) return;
    if (reason instanceof StoreError && reason.storeCode === "fenced") return this.#lose(reason);
    this.#mail?.clear();
    for (const hold of this.#holds.values()) hold.leave().catch(() => undefined);
    this.#holds.clear();
    const error = loggableError(TroupeError.from(reason));
    this.#parts.logger.warn("The mailboxes of the state store can't be read; they are taken again in 2 s", { error });
    this.#retakeTimer = this.#parts.clock.setTimer(retakeMs, () => {
      this.#retakeTimer = undefined;
      void this.#retake();
    });
  }

  async #retake(): Promise<void> {
    try {
      // Writes nothing; it fails if this process does not hold the store any more.
      await this.#parts.store.settle({ ticks: [], mail: [] });
    } catch (error) {
      const isLost = error instanceof StoreError && (error.storeCode === "fenced" || error.storeCode === "closed");
      if (isLost) this.#lose(error);
      else this.#loseShard(0, error);
      return;
    }
    await this.#takeShards();
  }

  #lose(error: StoreError): void {
    if (this.#state !== "running") return;
    this.#parts.logger.error("The state store is lost: reminders and mail end here", { error: loggableError(error) });
    this.stop();
  }
}

function noMailboxes(): TroupeError {
  const text =
    "This state store has no mailboxes, so that no message can be told. Use a MemoryStateStore, openSqliteStore, or openPostgresStore with one writer.";
  return new TroupeError("not-accessible", text);
}
