import type { Clock } from "../clock.ts";
import { loggableError } from "../delivery/loggable.ts";
import { TroupeError } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import { type AgentName, shardOf } from "../state/agent-name.ts";
import type { DurableLog, DurableMessage, KeptMessage } from "../state/durable-log.ts";
import { type AppendOutcome, nameInError } from "../state/mail-bounds.ts";
import type { Commit, CommitOutcome, Mail, StateStore } from "../state/state-store.ts";
import type { StoreError } from "../state/store-error.ts";
import type { Deliver } from "./courier-call.ts";
import type { CourierObservers } from "./courier-occurrence.ts";
import { CourierSlots } from "./courier-slots.ts";
import { MailboxDelivery } from "./mailboxes/mailbox-delivery.ts";
import type { CommitListener, Decided } from "./observed-store.ts";
import { CronTurns } from "./reminders/cron-turns.ts";
import { ReminderFiring } from "./reminders/reminder-firing.ts";
import type { ReminderRule } from "./reminders/reminder-rule.ts";
import { type CronPatterns, dueAfter } from "./reminders/when.ts";
import { type RetryOptions, retrySettings } from "./retry-policy.ts";
import { type GivenShard, GivenShards } from "./shards/given-shards.ts";
import { OutboxMover } from "./shards/outbox-mover.ts";
import { OwnShards } from "./shards/own-shards.ts";

/** The parts of a `Courier`. */
export interface CourierParts {
  readonly store: StateStore;
  /**
   * The log that several processes share. Then the courier works in the shards that it is given alone. It moves the mail of the
   * store into the log, delivers it from there, and fires reminders. Default: it reads all of the store's own log.
   */
  readonly sharedLog?: DurableLog | undefined;
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
  /** Default: none listens. */
  readonly observers?: CourierObservers | undefined;
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

/**
 * Delivers the mail of a store and fires its reminders, as calls. This process holds the store, or some shards of it. The courier has to hear
 * of each commit of this process: commit through an `ObservedStore`.
 */
export class Courier implements CommitListener {
  readonly #parts: CourierParts;
  readonly #reminders: ReminderFiring;
  readonly #cronTurns: CronTurns;
  readonly #log: DurableLog | undefined;
  readonly #mail: MailboxDelivery | undefined;
  /** One of them, if there is a log. */
  readonly #own: OwnShards | undefined;
  readonly #given: GivenShards | undefined;
  readonly #outbox: OutboxMover | undefined;
  #forgottenLetters = 0;
  #unreadLetters = 0;
  #state: "idle" | "running" | "stopped" = "idle";

  constructor(parts: CourierParts) {
    this.#parts = parts;
    const { store, clock, logger, deliver, cron, random, onBusy } = parts;
    const { sharedLog, observers } = parts;
    const log = sharedLog ?? store.log;
    this.#log = log;
    const slots = new CourierSlots();
    this.#cronTurns = new CronTurns(clock);
    const settings = retrySettings(parts.retry);
    const useOf = (agent: AgentName, bytes: number) => ({
      ...{ party: parts.partyOf?.(agent) ?? "", agentType: agent.type, bytes },
    });
    const { isServed = () => true } = parts;
    const holdOf = (shard: number) => (this.#own ?? this.#given)?.holdOf(shard);
    const bury =
      log && (async (...letter: Parameters<DurableLog["bury"]>) => this.#noteForgotten(await log.bury(...letter)));
    this.#mail =
      log &&
      bury &&
      new MailboxDelivery({
        ...{ log, bury, clock, logger, settings, random, slots, useOf, isServed, deliver, holdOf, onBusy, observers },
      });
    const mail = this.#mail;
    const onLost = (error: StoreError) => this.#lose(error);
    const onMessage = (message: KeptMessage) => mail?.take(message);
    if (sharedLog !== undefined && bury !== undefined) {
      const given = new GivenShards({
        ...{ log: sharedLog, logger, onMessage },
        onDropped: (shard) => this.#forgetShard(shard),
      });
      this.#given = given;
      const outbox = {
        append: (...message: Parameters<DurableLog["append"]>) => sharedLog.append(...message),
        empty: (mailbox: AgentName, upTo: number) => sharedLog.empty(mailbox, upTo),
        bury,
      };
      this.#outbox = new OutboxMover({
        ...{ store, log: outbox, clock, logger },
        shards: () => given.active,
        isActive: (shard) => given.isActive(shard),
        onEmptied: (mailbox) => mail?.readAgain(mailbox) ?? true,
      });
    } else if (log !== undefined) {
      this.#own = new OwnShards({
        ...{ store, log, clock, logger, onMessage, onLost },
        onCleared: () => mail?.clear(),
      });
    }
    this.#reminders = new ReminderFiring({
      store,
      shards: sharedLog && (() => this.#given?.active ?? []),
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
      observers,
    });
  }

  get counters(): CourierCounters {
    return {
      mailDelivered: this.#mail?.delivered ?? 0,
      deadLetters: (this.#mail?.buried ?? 0) + this.#unreadLetters,
      forgottenLetters: this.#forgottenLetters,
      remindersFired: this.#reminders.fired,
      remindersFailed: this.#reminders.failed,
    };
  }

  /** Milliseconds since the oldest message that waits, as far as it is known, was sent; 0 if none waits. */
  oldestMailMs(): number {
    const sentAtMs = this.#mail?.oldestSentAtMs();
    return sentAtMs === undefined ? 0 : Math.max(0, this.#parts.clock.wallNow() - sentAtMs);
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
    // An incarnation is at least the seconds of the wall clock at its opening.
    this.#reminders.start(token * 1_000);
    this.#outbox?.start();
    await this.#own?.start(token);
  }

  /** Ends. What is under way is not settled, and comes again when a courier of this store starts. */
  stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#reminders.stop();
    this.#outbox?.stop();
    this.#mail?.stop();
    this.#own?.stop();
    this.#given?.dropAll();
  }

  /** This process owns a shard from now on: it delivers the mail of its agents and fires their reminders. Never rejects. */
  async takeShard(shard: number, given: GivenShard): Promise<void> {
    if (this.#state !== "running" || this.#given === undefined) return given.ended();
    await this.#given.take(shard, given);
    this.lookAgain();
  }

  /** Begins nothing new in a shard; resolves when what is under way there has ended. */
  async finishShard(shard: number): Promise<void> {
    this.#given?.finish(shard);
    await Promise.all([this.#mail?.finishShard(shard), this.#reminders.finishShard(shard)]);
  }

  /** Does nothing more in a shard. What is under way is not settled. */
  dropShard(shard: number): void {
    this.#given?.drop(shard);
  }

  /** Another process has committed mail or reminders of shards that this one may own. */
  lookAgain(): void {
    if (this.#state !== "running") return;
    this.#outbox?.look();
    this.#reminders.lookAgain();
  }

  #forgetShard(shard: number): void {
    this.#mail?.clearShard(shard);
    this.#reminders.dropShard(shard);
  }

  /** Keeps a message for an agent. Rejects with a `StoreError`; as `not-accessible` if the store has no mailboxes. */
  async keep(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome> {
    const log = this.#log;
    if (log === undefined) throw noMailboxes();
    // Another process may read it.
    if (this.#given !== undefined) {
      const shared = await log.append(mailbox, message);
      if (shared === "kept") this.#noteKept(mailbox);
      return shared;
    }
    this.#mail?.expect(mailbox, message.id);
    let outcome: AppendOutcome | undefined;
    try {
      outcome = await log.append(mailbox, message);
      if (outcome === "kept") this.#noteKept(mailbox);
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
    if (this.#given !== undefined) return;
    for (const { mail } of commits) for (const { receiver, id } of mail) this.#mail?.expect(receiver, id);
  }

  newestPlace(): Promise<number> | undefined {
    return this.#parts.sharedLog?.newest();
  }

  onDecided(commits: readonly Commit[], outcomes: Decided): void {
    const given = this.#given;
    const isActive = ({ receiver }: Mail) => given?.isActive(shardOf(receiver)) === true;
    if (given !== undefined && commits.some(({ mail }) => mail.some(isActive))) this.#outbox?.look();
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
      // A set, for there may be many of them: each durable event of a turn may go to many agents.
      const notKept = new Set([...(outcome.knownMail ?? []), ...(outcome.buriedMail ?? [])]);
      for (const index of notKept) {
        const left = commit.mail[index];
        if (left !== undefined) this.#mail?.expectNoMore(left.receiver, left.id);
      }
      if (this.#parts.observers?.now !== undefined) {
        for (const [index, { receiver }] of commit.mail.entries()) if (!notKept.has(index)) this.#noteKept(receiver);
      }
      if (outcome.buriedMail !== undefined) this.#noteUnread(commit, outcome.buriedMail);
      this.#noteForgotten(outcome.forgottenLetters ?? 0);
      return;
    }
    for (const { receiver, id } of commit.mail) this.#mail?.expectNoMore(receiver, id);
  }

  #noteKept({ type: agentType, key }: AgentName): void {
    this.#parts.observers?.now?.({ at: "mail", what: "kept", agentType, key, code: undefined, ageMs: 0 });
  }

  /** Mail of a commit found no space, and no worker reads its mailbox. */
  #noteUnread({ mail }: Commit, buried: readonly number[]): void {
    this.#unreadLetters += buried.length;
    for (const index of buried) {
      const { type: agentType = "", key = "" } = mail[index]?.receiver ?? {};
      this.#parts.observers?.now?.({ at: "mail", what: "buried", agentType, key, code: "mailbox-full", ageMs: 0 });
    }
    const [first = 0] = buried;
    const receiver = mail[first]?.receiver;
    const name = receiver === undefined ? "an agent" : nameInError(receiver);
    const kind = "Durable events became dead letters: no worker serves the agents, and their mailboxes take no more";
    const advice = "Start a worker, or end the subscription: troupe subscriptions remove.";
    this.#parts.logger.warn(`${kind}. First: ${name}. ${advice}`, { count: buried.length }, kind);
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
