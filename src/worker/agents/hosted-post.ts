import {
  type AgentId,
  type AgentName,
  type AgentPost,
  assertReminderLength,
  assertReminderName,
  assertReminderOptions,
  type Clock,
  type CodecRegistry,
  type CronPatterns,
  DropMessage,
  depthMetadata,
  type EventGuard,
  encodeKeptCall,
  formatRule,
  HandlerContext,
  type InterventionChain,
  type KeptCommit,
  type Mail,
  type MakeId,
  MessageDroppedException,
  type MessageLog,
  messageTypeText,
  NotAccessibleError,
  type ReminderChange,
  type ReminderInfo,
  type ReminderOptions,
  reminderInfos,
  ruleOf,
  runReminder,
  type StateKeeper,
  type TellOptions,
  type Tracing,
  TroupeError,
  type TurnEffects,
  UndeliverableException,
  type When,
  withCheckedMetadata,
} from "../../core/internal.ts";
import { metadataKey } from "../../protocol/internal.ts";
import type { KeptCallRequest } from "../outbound/outgoing-calls.ts";
import { traced } from "../outbound/traced.ts";
import { HostedEvent } from "./hosted-keeper.ts";

export interface HostedPostOptions {
  readonly settings: {
    readonly clock: Clock;
    readonly makeId: MakeId;
    readonly cron: CronPatterns | undefined;
    readonly preferredContentType: string;
    readonly tracing: Tracing | undefined;
  };
  readonly registry: CodecRegistry;
  readonly interventions: InterventionChain;
  /** Undefined when no sink takes message-log records. */
  readonly log: MessageLog | undefined;
  /** Undefined: the worker has a store of its own, whose reminders and mail no courier takes. */
  readonly keeper: StateKeeper<Uint8Array> | undefined;
  /** Whether the present host keeps no mail, as far as it is known. */
  readonly isMailless: () => boolean;
  /** Whether the present host keeps mail. Undefined: there is no connection. */
  readonly hostKeepsMail: () => Promise<boolean | undefined>;
  /** Gives the host a call to keep that no agent of this worker tells. */
  readonly keepCall: (call: KeptCallRequest) => Promise<void>;
  /** Whether this worker serves the type. */
  readonly serves: (agentType: string) => boolean;
  /** Returns the effects of the running turn of a persistent agent. */
  readonly effectsOf: (agent: AgentId | undefined) => TurnEffects | undefined;
  readonly eventGuard: EventGuard;
}

// protocol.md §11.16
/** Keeps the told messages and the reminders of a worker's agents at its host. In a turn of a persistent agent they go with its commit. */
export class HostedPost implements AgentPost {
  readonly #options: HostedPostOptions;

  constructor(options: HostedPostOptions) {
    this.#options = options;
  }

  /** Makes the effect of a turn that is a durable event. */
  durableEffect(bytes: Uint8Array): HostedEvent {
    this.#keeper();
    return new HostedEvent(bytes);
  }

  /** Rejects as `not-accessible` if the host keeps no messages, and as `disconnected` without a host. */
  async assertHostKeepsMail(): Promise<void> {
    const keepsMail = await this.#options.hostKeepsMail();
    if (keepsMail === true) return;
    if (keepsMail === false) throw mailless();
    const text = "The worker has no host now, which keeps messages. Try again when it has one.";
    throw new UndeliverableException(text, { code: "disconnected", notHandled: true });
  }

  /** Keeps a message for an agent. */
  async tell(original: unknown, recipient: AgentId, given: TellOptions): Promise<void> {
    const options = withCheckedMetadata(given);
    const details = { destination: recipient, messageType: messageTypeText(original) };
    return traced(this.#options.settings.tracing, "create", details, () => this.#tell(original, recipient, options));
  }

  async #tell(original: unknown, recipient: AgentId, options: TellOptions): Promise<void> {
    const { settings, registry, interventions, log } = this.#options;
    const { sender, idempotencyKey: id = settings.makeId() } = options;
    const metadata = { ...options.metadata, ...settings.tracing?.inject() };
    const own = sender !== undefined && this.#options.serves(sender.type) ? sender : undefined;
    if (own !== undefined) this.#keeper();
    // The guard looks at the handlers that run now.
    const depth = this.#options.eventGuard.toldDepth(sender, recipient);
    if (own === undefined) await this.assertHostKeepsMail();
    log?.message("MessageKind.DIRECT", "DeliveryStage.SEND", { message: original, sender, receiver: recipient });
    const message = interventions.seesSend ? await this.#intervened(original, recipient, options) : original;
    if (message === DropMessage) {
      log?.dropped("MessageKind.DIRECT", { message: original, sender, receiver: recipient });
      throw new MessageDroppedException();
    }
    const payload = registry.encode(message, settings.preferredContentType);
    if (own === undefined) return this.#options.keepCall({ id, sender, receiver: recipient, payload, metadata, depth });
    const marks = { [metadataKey.delivery]: "durable", [metadataKey.idempotency]: id };
    const kept = { ...metadata, ...marks, ...depthMetadata(depth) };
    const receiver = nameOf(recipient);
    const call = { requestId: id, sender: nameOf(own), receiver, payload, metadata: kept };
    const mail: Mail = { id, receiver, kind: "call", frame: encodeKeptCall(call) };
    const effects = this.#options.effectsOf(own);
    if (effects !== undefined) return effects.addMail(mail);
    return this.#commit(own, { mail: [mail], reminders: [] }, `The mailbox of ${recipient}`);
  }

  async remind(agent: AgentId, name: string, when: When, message: unknown, options: ReminderOptions): Promise<void> {
    assertReminderName(name);
    assertReminderOptions(options);
    this.#keeper();
    const { clock, cron, makeId } = this.#options.settings;
    const rule = { ...ruleOf(when, options, clock.wallNow(), cron), setId: makeId() };
    const frame = this.#reminderFrame(agent, name, message);
    assertReminderLength(frame);
    return this.#change(agent, { at: "set", name, dueMs: rule.dueMs, rule: formatRule(rule), message: frame });
  }

  /** Makes the reminder for the unfinished runs of an agent, or its end. Undefined: nothing here fires it. */
  runReminder(agent: AgentId, isSet: boolean): ReminderChange | undefined {
    const { keeper, isMailless, settings } = this.#options;
    if (keeper === undefined || isMailless()) return undefined;
    return runReminder(isSet, settings, (name, message) => this.#reminderFrame(agent, name, message));
  }

  #reminderFrame(agent: AgentId, name: string, message: unknown): Uint8Array {
    const { settings, registry } = this.#options;
    const payload = registry.encode(message, settings.preferredContentType);
    const metadata = { ...settings.tracing?.inject() };
    return encodeKeptCall({ requestId: name, sender: undefined, receiver: nameOf(agent), payload, metadata });
  }

  async cancel(agent: AgentId, name: string): Promise<void> {
    assertReminderName(name);
    this.#keeper();
    return this.#change(agent, { at: "cancel", name });
  }

  async list(agent: AgentId): Promise<readonly ReminderInfo[]> {
    if (!this.#options.serves(agent.type)) {
      const text = `${agent} does not live on this worker, and a host lists reminders only to the worker of their agent`;
      throw new NotAccessibleError(`${text}. Ask there.`);
    }
    const stored = await this.#keeper().reminders(nameOf(agent));
    return reminderInfos(stored, this.#options.effectsOf(agent)?.reminders ?? []);
  }

  async #intervened(message: unknown, recipient: AgentId, { sender, metadata }: TellOptions): Promise<unknown> {
    const { interventions, settings } = this.#options;
    const { makeId: messageId } = settings;
    const messageContext = new HandlerContext({ sender, topicId: undefined, isRpc: true, messageId, metadata });
    return interventions.onSend(message, { messageContext, recipient });
  }

  async #change(agent: AgentId, change: ReminderChange): Promise<void> {
    const effects = this.#options.effectsOf(agent);
    if (effects !== undefined) return effects.addReminder(change);
    return this.#commit(agent, { mail: [], reminders: [change] }, `The reminder ${change.name} of ${agent}`);
  }

  /** Writes at once, without a state. */
  async #commit(agent: AgentId, effects: Pick<KeptCommit, "mail" | "reminders">, what: string): Promise<void> {
    const outcome = await this.#keeper().commit({
      ...{ agent: nameOf(agent), epoch: undefined, expected: { at: "anything" }, write: { at: "keep" } },
      ...{ ...effects, remembered: [], out: [] },
    });
    switch (outcome.at) {
      case "committed":
        return;
      case "failed":
        if (outcome.error.code === "mailbox-full") throw full(outcome.error);
        throw outcome.error;
      case "unknown":
        throw outcome.error;
      case "refused": {
        const text = `${what} is refused: the limit is ${outcome.limit}. Try again later.`;
        throw new UndeliverableException(text, { code: "overloaded", notHandled: true });
      }
      case "conflict":
      case "stale":
        throw new TroupeError("state-conflict", `${what} is not kept: another host keeps the agent now. Try again.`);
    }
  }

  #keeper(): StateKeeper<Uint8Array> {
    const { keeper, isMailless } = this.#options;
    if (keeper === undefined) {
      const text = "A worker with a stateStore of its own keeps no messages and no reminders.";
      throw new NotAccessibleError(`${text} Leave the stateStore to its host.`);
    }
    if (!isMailless()) return keeper;
    throw mailless();
  }
}

function full(cause: TroupeError): UndeliverableException {
  return new UndeliverableException(cause.message, { code: "overloaded", notHandled: true, cause });
}

function mailless(): NotAccessibleError {
  const text = "The host of this worker keeps no messages and no reminders.";
  return new NotAccessibleError(
    `${text} Use a Troupe host with a MemoryStateStore, openSqliteStore, or openPostgresStore with one writer.`,
  );
}

function nameOf({ type, key }: AgentId): AgentName {
  return { type, key };
}
