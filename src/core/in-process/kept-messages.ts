import type { TellOptions } from "../agent-runtime.ts";
import { AgentId } from "../agents/agent-id.ts";
import type { Clock, MakeId } from "../clock.ts";
import type { AgentPost } from "../courier/agent-post.ts";
import { Courier, type CourierCounters } from "../courier/courier.ts";
import type { CourierCall, CourierDelivery } from "../courier/courier-call.ts";
import { decodeKeptCall, encodeKeptCall } from "../courier/kept-call.ts";
import { eventCommit, eventRefused } from "../courier/kept-events.ts";
import { ObservedStore } from "../courier/observed-store.ts";
import { assertReminderLength, assertReminderName, reminderInfos } from "../courier/reminders/reminder-change.ts";
import { formatRule, ruleOf } from "../courier/reminders/reminder-rule.ts";
import {
  assertReminderOptions,
  type CronPatterns,
  type ReminderInfo,
  type ReminderOptions,
  type When,
} from "../courier/reminders/when.ts";
import type { RetryOptions } from "../courier/retry-policy.ts";
import { type MessageMetadata, noMetadata } from "../delivery/message-metadata.ts";
import { TroupeError, UndeliverableException } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import { runReminder } from "../runs/run-reminder.ts";
import { depthMetadata } from "../scope/chain-depth.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import type { AgentName } from "../state/agent-name.ts";
import type { TurnEffects } from "../state/effects.ts";
import { fullMailAdvice, fullMailText, isFullMail } from "../state/mail-bounds.ts";
import { MemoryStateStore } from "../state/memory-state-store.ts";
import type { Commit, Mail, ReminderChange, StateStore } from "../state/state-store.ts";
import { listReminders } from "../state/store-pages.ts";
import { TopicId } from "../topics/topic-id.ts";
import type { Tracing } from "../tracing.ts";
import type { PublishEnvelope } from "./envelope.ts";

/** A call of the courier, decoded. */
export interface KeptDelivery {
  readonly message: unknown;
  readonly recipient: AgentId;
  readonly sender: AgentId | undefined;
  readonly sentMetadata: MessageMetadata;
  /** The topic of an event. Undefined: the message was told. */
  readonly topicId: TopicId | undefined;
  readonly call: CourierCall;
}

/** The parts of `KeptMessages`. */
export interface KeptMessagesParts {
  /** Undefined: a store in memory is made when it is needed. */
  readonly store: StateStore | undefined;
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  readonly makeId: MakeId;
  readonly cron: CronPatterns | undefined;
  readonly retry: RetryOptions | undefined;
  readonly codecs: CodecRegistry;
  readonly tracing: Tracing | undefined;
  /** Returns the effects of the running turn of a persistent agent. */
  readonly effectsOf: (agent: AgentId | undefined) => TurnEffects | undefined;
  readonly deliver: (delivery: KeptDelivery) => CourierDelivery;
  /** Whether a type is registered. */
  readonly isServed: (agentType: string) => boolean;
  /** Keeps the runtime from being idle until the returned function is called. */
  readonly hold: () => () => void;
}

/** Metadata of a kept call. */
const idempotencyKey = "agidempotency";
const deliveryKey = "agdelivery";
const topicKey = "agtopic";

/**
 * The told messages and the reminders of a runtime in one process. It opens its own store when it first needs it. The store of a user
 * is opened when the runtime starts, since it may hold reminders of an earlier process.
 */
export class KeptMessages implements AgentPost {
  /** The store of the runtime. What is committed through it is noticed. */
  readonly store: StateStore;
  readonly #parts: KeptMessagesParts;
  #courier: Courier | undefined;
  #isRunning = false;
  #hasEnded = false;
  #isNeeded: boolean;
  #release: (() => void) | undefined;

  constructor(parts: KeptMessagesParts) {
    this.#parts = parts;
    this.#isNeeded = parts.store !== undefined;
    this.store = new ObservedStore(parts.store ?? new MemoryStateStore({ clock: parts.clock }), {
      newestPlace: () => undefined,
      onCommitting: (commits) => {
        this.#need();
        this.#courier?.onCommitting(commits);
      },
      onDecided: (commits, outcomes) => this.#courier?.onDecided(commits, outcomes),
    });
  }

  get counters(): CourierCounters | undefined {
    return this.#courier?.counters;
  }

  /** The runtime has started. */
  start(): void {
    this.#hasEnded = false;
    this.#isRunning = true;
    if (this.#isNeeded) this.#begin();
  }

  /** The runtime has stopped: what is under way comes again when it starts. */
  stop(): void {
    this.#isRunning = false;
    this.#courier?.stop();
    this.#courier = undefined;
    this.#noteBusy(false);
  }

  /** The runtime was closed: it keeps nothing until it starts again. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Keeps a message for an agent. `depth`: handlers of events and told messages that led to it. */
  async tell(message: unknown, recipient: AgentId, options: TellOptions, depth: number): Promise<void> {
    this.#assertNotEnded("A message was told");
    const { sender, metadata = noMetadata, idempotencyKey: id = this.#parts.makeId() } = options;
    const payload = this.#parts.codecs.encode(message);
    const marks = { [deliveryKey]: "durable", [idempotencyKey]: id };
    const kept = { ...metadata, ...this.#parts.tracing?.inject(), ...marks, ...depthMetadata(depth) };
    const receiver = nameOf(recipient);
    const frame = encodeKeptCall({
      ...{ requestId: id, sender: sender && nameOf(sender), receiver, payload, metadata: kept },
    });
    const effects = this.#parts.effectsOf(sender);
    if (effects !== undefined)
      return effects.addMail({ id, receiver, kind: "call", frame, isOnce: options.idempotencyKey !== undefined });
    const release = this.#parts.hold();
    try {
      await this.#keep(receiver, id, frame);
    } finally {
      release();
    }
  }

  /** Makes the mail of an event: a message for each agent that it is kept for. */
  eventMail(
    { message, topicId, sender, metadata, link, depth, messageId, except = [] }: PublishEnvelope,
    id: string,
  ): readonly Mail[] {
    const payload = this.#parts.codecs.encode(message);
    const marks = { [deliveryKey]: "durable", [idempotencyKey]: id, [topicKey]: topicId.toString() };
    const kept = { ...metadata, ...link, ...marks, ...depthMetadata(depth) };
    return except.map((agent): Mail => {
      const receiver = nameOf(agent);
      const frame = encodeKeptCall({
        ...{ requestId: messageId, sender: sender && nameOf(sender), receiver, payload, metadata: kept },
      });
      return { id, receiver, kind: "event", frame, isOnce: true };
    });
  }

  /** Keeps the mail of an event, all of it or nothing. */
  async keepEvent({ topicId, sender }: PublishEnvelope, mail: readonly Mail[]): Promise<void> {
    const release = this.#parts.hold();
    try {
      await this.store.open();
      if (this.store.log === undefined) throw noMailboxes();
      const [outcome] = await this.store.commit([eventCommit(sender && nameOf(sender), mail)]);
      if (outcome?.at === "refused") throw eventRefused(topicId, outcome);
    } finally {
      release();
    }
  }

  async remind(agent: AgentId, name: string, when: When, message: unknown, options: ReminderOptions): Promise<void> {
    assertReminderName(name);
    assertReminderOptions(options);
    this.#assertNotEnded("A reminder was set");
    const { clock, cron, makeId } = this.#parts;
    const rule = { ...ruleOf(when, options, clock.wallNow(), cron), setId: makeId() };
    const frame = this.#reminderFrame(agent, name, message);
    assertReminderLength(frame);
    return this.#change(agent, { at: "set", name, dueMs: rule.dueMs, rule: formatRule(rule), message: frame });
  }

  /** Makes the reminder for the unfinished runs of an agent, or its end. */
  runReminder(agent: AgentId, isSet: boolean): ReminderChange {
    return runReminder(isSet, this.#parts, (name, message) => this.#reminderFrame(agent, name, message));
  }

  #reminderFrame(agent: AgentId, name: string, message: unknown): Uint8Array {
    const { codecs, tracing } = this.#parts;
    const payload = codecs.encode(message);
    const metadata = { ...tracing?.inject() };
    return encodeKeptCall({ requestId: name, sender: undefined, receiver: nameOf(agent), payload, metadata });
  }

  async cancel(agent: AgentId, name: string): Promise<void> {
    assertReminderName(name);
    this.#assertNotEnded("A reminder was cancelled");
    return this.#change(agent, { at: "cancel", name });
  }

  async list(agent: AgentId): Promise<readonly ReminderInfo[]> {
    await this.store.open();
    const stored = await listReminders(this.store, nameOf(agent));
    return reminderInfos(stored, this.#parts.effectsOf(agent)?.reminders ?? []);
  }

  #assertNotEnded(what: string): void {
    if (!this.#hasEnded) return;
    const text = `${what} after the runtime was closed. Nothing is kept. Start the runtime again, or do it before close().`;
    throw new UndeliverableException(text, { code: "shutting-down", notHandled: true });
  }

  async #keep(receiver: AgentName, id: string, frame: Uint8Array): Promise<void> {
    const opening = this.store.open();
    this.#need();
    await opening;
    const message = { id, kind: "call", frame, sentAtMs: this.#parts.clock.wallNow() } as const;
    const { log } = this.store;
    if (log === undefined) throw noMailboxes();
    const outcome = await (this.#courier?.keep(receiver, message) ?? log.append(receiver, message));
    if (!isFullMail(outcome)) return;
    const text = `${fullMailText(receiver, outcome)} ${fullMailAdvice}`;
    throw new UndeliverableException(text, { code: "overloaded", notHandled: true });
  }

  async #change(agent: AgentId, change: ReminderChange): Promise<void> {
    const effects = this.#parts.effectsOf(agent);
    if (effects !== undefined) return effects.addReminder(change);
    await this.store.open();
    const commit: Commit = {
      ...{ agent: nameOf(agent), epoch: undefined, expected: { at: "anything" }, write: { at: "keep" } },
      ...{ reminders: [change], mail: [], remembered: [] },
    };
    const [outcome] = await this.store.commit([commit]);
    if (outcome?.at !== "refused") return;
    throw new TroupeError(
      "overloaded",
      `The reminder ${change.name} of ${agent} is refused: the limit is ${outcome.limit}.`,
    );
  }

  /** Something is kept: a courier has to run, as soon as the runtime does. */
  #need(): void {
    this.#isNeeded = true;
    if (this.#isRunning && this.#courier === undefined) this.#begin();
  }

  #begin(): void {
    const { clock, logger, cron, retry, isServed } = this.#parts;
    const courier = new Courier({
      ...{ store: this.store, clock, logger, cron, retry, isServed, random: Math.random },
      deliver: (call) => this.#deliver(call),
      onBusy: (isBusy) => {
        if (this.#courier === courier) this.#noteBusy(isBusy);
      },
    });
    this.#courier = courier;
    void this.#run(courier);
  }

  async #run(courier: Courier): Promise<void> {
    try {
      const { incarnation } = await this.store.open();
      await courier.start(incarnation);
    } catch (error) {
      // The next message that is told, or the next start, tries again.
      if (this.#courier === courier) this.#courier = undefined;
      this.#parts.logger.error("The state store can't be opened: no reminder fires and no told message is delivered", {
        error,
      });
    }
  }

  #noteBusy(isBusy: boolean): void {
    if (isBusy) this.#release ??= this.#parts.hold();
    else {
      this.#release?.();
      this.#release = undefined;
    }
  }

  #deliver(call: CourierCall): CourierDelivery {
    try {
      const { sender, receiver, payload, metadata } = decodeKeptCall(call.frame);
      const message = this.#parts.codecs.decode(payload.typeName, payload.contentType, payload.data);
      return this.#parts.deliver({
        ...{ message, call, sentMetadata: metadata, recipient: new AgentId(receiver.type, receiver.key) },
        sender: sender && new AgentId(sender.type, sender.key),
        topicId: topicOf(call, metadata),
      });
    } catch (thrown) {
      const error = TroupeError.from(thrown);
      return { outcome: Promise.resolve({ at: "failed", error }), withdraw: () => undefined };
    }
  }
}

function topicOf({ kind }: CourierCall, metadata: MessageMetadata): TopicId | undefined {
  const text = kind === "event" ? metadata[topicKey] : undefined;
  return text === undefined ? undefined : TopicId.parse(text);
}

function noMailboxes(): TroupeError {
  const text = "This state store has no mailboxes, so that no message can be kept.";
  const advice = "Use a MemoryStateStore, openSqliteStore, or openPostgresStore with one writer.";
  return new TroupeError("not-accessible", `${text} ${advice}`);
}

function nameOf({ type, key }: AgentId): AgentName {
  return { type, key };
}
