import type { Clock, Timer } from "../clock.ts";
import { loggableError, loggableText } from "../delivery/loggable.ts";
import { errorText, TroupeError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { type AgentName, shardOf, textOfName } from "../state/agent-name.ts";
import type { DeadReason, DurableLog, KeptMessage, ShardHold } from "../state/durable-log.ts";
import type { CourierDelivery, CourierSlots, Deliver } from "./courier-call.ts";
import { decideRetry, noTries, type RetrySettings, type Tries } from "./retry-policy.ts";

/** The parts of `MailboxDelivery`. */
export interface MailboxDeliveryParts {
  readonly log: DurableLog;
  /** Makes a dead letter. */
  readonly bury: (message: KeptMessage, why: DeadReason) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: RetrySettings;
  readonly random: () => number;
  readonly slots: CourierSlots;
  readonly deliver: Deliver;
  /** Returns the hold of a shard; undefined: it was lost. */
  readonly holdOf: (shard: number) => ShardHold | undefined;
  /** Called when the first message begins to be under way, and when the last one has ended. One that waits for a retry is not. */
  readonly onBusy: (isBusy: boolean) => void;
}

/** The messages of one agent in memory. */
interface Mailbox {
  readonly name: AgentName;
  readonly text: string;
  readonly shard: number;
  /** The head is delivered first; the others wait for it. */
  readonly queue: KeptMessage[];
  tries: Tries;
  delivery: CourierDelivery | undefined;
  /** Set while the head waits for its next attempt. */
  retryTimer: Timer | undefined;
  /** Messages that were handled, and are not settled in the log yet. */
  unsettled: number;
  isBurying: boolean;
  /** Whether later messages are out of the way of the shard. */
  isSpilled: boolean;
  /** Counts the times that messages were spilled. */
  spills: number;
  isReadingBack: boolean;
  readonly onSlot: () => void;
}

/** Messages of one mailbox in memory; more are spilled. */
const mostInMailbox = 64;
// An agent remembers twice as many ids of mail: an unsettled message comes again after a crash.
/** Handled messages of one mailbox that are not settled yet. */
const mostUnsettled = 32;
/** With so many messages or bytes in memory the longest mailboxes are spilled, until no more than these are left. */
const pressure = { messages: 750, bytes: 12 * 1024 * 1024 };
const relief = { messages: 500, bytes: 8 * 1024 * 1024 };
const logRetryMs = 2_000;

/**
 * Delivers the messages of mailboxes, those of one agent in order. A message that fails is tried again, and those behind it wait. One
 * that can't succeed, or has failed too often, becomes a dead letter.
 */
export class MailboxDelivery {
  readonly #parts: MailboxDeliveryParts;
  readonly #mailboxes = new Map<string, Mailbox>();
  readonly #busy = new Set<Mailbox>();
  /** Messages that were kept and that the reader has not handed over yet. */
  readonly #awaited = new Set<string>();
  #messages = 0;
  #bytes = 0;
  #isStopped = false;
  #delivered = 0;
  #buried = 0;

  constructor(parts: MailboxDeliveryParts) {
    this.#parts = parts;
  }

  /** Messages that were handled. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Messages that became dead letters. */
  get buried(): number {
    return this.#buried;
  }

  stop(): void {
    this.#isStopped = true;
    this.clear();
  }

  /** Forgets what is in memory: the log has it. */
  clear(): void {
    const wasBusy = this.#isBusy;
    for (const { retryTimer } of this.#mailboxes.values()) retryTimer?.cancel();
    this.#mailboxes.clear();
    this.#busy.clear();
    this.#awaited.clear();
    this.#messages = 0;
    this.#bytes = 0;
    if (wasBusy) this.#parts.onBusy(false);
  }

  /** A message is being kept: from now on deliveries are under way. */
  expect(mailbox: AgentName, id: string): void {
    const text = textOfName(mailbox);
    if (this.#isStopped || this.#mailboxes.get(text)?.isSpilled === true) return;
    this.#changeBusy(() => this.#awaited.add(`${text}${id}`));
  }

  /** The message is not kept, or the mailbox had it before. */
  expectNoMore(mailbox: AgentName, id: string): void {
    this.#changeBusy(() => this.#awaited.delete(`${textOfName(mailbox)}${id}`));
  }

  /** Takes a message from the log. */
  take(message: KeptMessage): void {
    if (this.#isStopped) return;
    const mailbox = this.#mailboxOf(message.mailbox);
    if (mailbox.isSpilled || mailbox.queue.length >= mostInMailbox) this.#spillFrom(mailbox, message);
    else this.#add(mailbox, message);
    this.expectNoMore(message.mailbox, message.id);
    if (this.#messages > pressure.messages || this.#bytes > pressure.bytes) this.#relieve();
    this.#kick(mailbox);
  }

  /** The agent was deleted with its mailbox. */
  drop(agent: AgentName): void {
    const mailbox = this.#mailboxes.get(textOfName(agent));
    if (mailbox === undefined) return;
    for (const message of mailbox.queue.slice(mailbox.delivery === undefined ? 0 : 1))
      void this.#settle(mailbox, message);
    this.#cut(mailbox, mailbox.delivery === undefined ? 0 : 1);
    mailbox.delivery?.withdraw();
    this.#kick(mailbox);
  }

  #mailboxOf(name: AgentName): Mailbox {
    const text = textOfName(name);
    const known = this.#mailboxes.get(text);
    if (known !== undefined) return known;
    const mailbox: Mailbox = {
      ...{ name, text, shard: shardOf(name), queue: [], tries: noTries, delivery: undefined, retryTimer: undefined },
      ...{ unsettled: 0, isBurying: false, isSpilled: false, spills: 0, isReadingBack: false },
      onSlot: () => this.#kick(mailbox),
    };
    this.#mailboxes.set(text, mailbox);
    return mailbox;
  }

  #add(mailbox: Mailbox, message: KeptMessage): void {
    mailbox.queue.push(message);
    this.#messages += 1;
    this.#bytes += message.frame.length;
  }

  /** Takes the messages from this place on out of memory. */
  #cut(mailbox: Mailbox, from: number): void {
    for (const { frame } of mailbox.queue.splice(from)) {
      this.#messages -= 1;
      this.#bytes -= frame.length;
    }
  }

  #shift(mailbox: Mailbox): void {
    const [head] = mailbox.queue.splice(0, 1);
    if (head === undefined) return;
    this.#messages -= 1;
    this.#bytes -= head.frame.length;
    mailbox.tries = noTries;
  }

  /** Does what is next for a mailbox. */
  #kick(mailbox: Mailbox): void {
    if (!this.#isStopped && this.#mailboxes.get(mailbox.text) === mailbox) this.#next(mailbox);
    this.#changeBusy(() => undefined, mailbox);
  }

  #next(mailbox: Mailbox): void {
    const { delivery, retryTimer, unsettled, isBurying, isReadingBack, queue } = mailbox;
    if (delivery !== undefined || retryTimer !== undefined || isBurying || isReadingBack) return;
    const [head] = queue;
    if (head === undefined) {
      if (mailbox.isSpilled) void this.#readBack(mailbox);
      else if (unsettled === 0) this.#mailboxes.delete(mailbox.text);
      return;
    }
    if (unsettled >= mostUnsettled || !this.#parts.slots.take(mailbox.onSlot)) return;
    const { mailbox: agent, id, kind, frame, place } = head;
    const attempt = mailbox.tries.attempts + 1;
    mailbox.delivery = this.#parts.deliver({ agent, id, kind, frame, attempt, place, reminder: undefined });
    void this.#end(mailbox, head, mailbox.delivery);
  }

  async #end(mailbox: Mailbox, head: KeptMessage, delivery: CourierDelivery): Promise<void> {
    const outcome = await delivery.outcome;
    mailbox.delivery = undefined;
    if (this.#isStopped || this.#mailboxes.get(mailbox.text) !== mailbox) return this.#parts.slots.free();
    if (outcome.at === "failed") {
      this.#retry(mailbox, head, outcome.error);
    } else {
      if (outcome.at === "handled") this.#delivered += 1;
      this.#shift(mailbox);
      void this.#settle(mailbox, head);
    }
    this.#kick(mailbox);
    this.#parts.slots.free();
  }

  #retry(mailbox: Mailbox, head: KeptMessage, error: TroupeError): void {
    const { clock, random, settings, logger } = this.#parts;
    const ageMs = clock.wallNow() - head.sentAtMs;
    const decision = decideRetry(error, mailbox.tries, { ageMs, random: random(), settings });
    if (decision.at === "bury") {
      mailbox.isBurying = true;
      void this.#bury(mailbox, head, decision.why);
      return;
    }
    if (mailbox.tries.waits === 0 && decision.tries.waits > 0) {
      const { type, key } = mailbox.name;
      logger.warn(
        loggableText(`Told messages wait for ${type}/${key}, to which they can't be delivered: ${error.message}`),
      );
    }
    mailbox.tries = decision.tries;
    mailbox.retryTimer = clock.setTimer(decision.delayMs, () => {
      mailbox.retryTimer = undefined;
      this.#kick(mailbox);
    });
  }

  async #bury(mailbox: Mailbox, head: KeptMessage, why: DeadReason): Promise<void> {
    const { logger, bury } = this.#parts;
    const attempts = why.attempts === 1 ? "1 attempt" : `${why.attempts} attempts`;
    const text = `A message to ${head.mailbox.type}/${head.mailbox.key} is a dead letter (${why.code}, ${attempts}): ${why.text}`;
    logger.error(loggableText(text), undefined);
    await this.#untilWritten(() => bury(head, why));
    mailbox.isBurying = false;
    if (this.#mailboxes.get(mailbox.text) !== mailbox) return;
    this.#buried += 1;
    this.#shift(mailbox);
    this.#kick(mailbox);
  }

  async #settle(mailbox: Mailbox, message: KeptMessage): Promise<void> {
    mailbox.unsettled += 1;
    await this.#untilWritten(async () => {
      await this.#parts.holdOf(mailbox.shard)?.settle(message);
    });
    mailbox.unsettled -= 1;
    this.#kick(mailbox);
  }

  async #untilWritten(write: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#parts;
    while (!this.#isStopped) {
      try {
        return await write();
      } catch (error) {
        const text = "The log can't write what became of a message; it is asked again in 2 s";
        logger.error(text, { error: loggableError(TroupeError.from(error)) });
        await new Promise<void>((resolve) => clock.setTimer(logRetryMs, resolve));
      }
    }
  }

  #spillFrom(mailbox: Mailbox, message: KeptMessage): void {
    mailbox.isSpilled = true;
    mailbox.spills += 1;
    // A spill of this log writes nothing that could fail; one that fails leaves the message where a new reader finds it.
    this.#parts.log.spill(mailbox.shard, mailbox.name, message).catch((error: unknown) => {
      this.#parts.logger.error(loggableText(`A message can't be spilled: ${errorText(error)}`));
    });
  }

  /** Spills the longest mailboxes. Where all are short, those go whose heads wait for a retry. */
  #relieve(): void {
    const byLength = [...this.#mailboxes.values()].sort((a, b) => b.queue.length - a.queue.length);
    for (const mailbox of byLength) {
      if (this.#messages <= relief.messages && this.#bytes <= relief.bytes) return;
      const from = mailbox.retryTimer === undefined ? 1 : 0;
      const message = mailbox.isBurying ? undefined : mailbox.queue[from];
      if (message === undefined) continue;
      this.#spillFrom(mailbox, message);
      this.#cut(mailbox, from);
    }
  }

  /** Takes spilled messages into memory again, as many as there is room for. */
  async #readBack(mailbox: Mailbox): Promise<void> {
    mailbox.isReadingBack = true;
    const { spills } = mailbox;
    let isWhole = false;
    try {
      isWhole = await this.#readSome(mailbox);
    } catch (error) {
      this.#parts.logger.error("Messages can't be read; the log is asked again in 2 s", {
        error: loggableError(TroupeError.from(error)),
      });
      mailbox.retryTimer = this.#parts.clock.setTimer(logRetryMs, () => {
        mailbox.retryTimer = undefined;
        this.#kick(mailbox);
      });
    }
    mailbox.isReadingBack = false;
    if (isWhole && mailbox.spills === spills) mailbox.isSpilled = false;
    this.#kick(mailbox);
  }

  async #readSome(mailbox: Mailbox): Promise<boolean> {
    for await (const message of this.#parts.log.unspill(mailbox.shard, mailbox.name)) {
      if (this.#mailboxes.get(mailbox.text) !== mailbox) return false;
      this.#add(mailbox, message);
      const isEnough = mailbox.queue.length >= mostInMailbox;
      if (isEnough || this.#messages > relief.messages || this.#bytes > relief.bytes) return false;
    }
    return true;
  }

  get #isBusy(): boolean {
    return this.#busy.size > 0 || this.#awaited.size > 0;
  }

  /** Notes what is under way, and tells of it. */
  #changeBusy(change: () => void, mailbox?: Mailbox): void {
    const wasBusy = this.#isBusy;
    change();
    if (mailbox !== undefined) {
      if (isUnderWay(mailbox) && this.#mailboxes.has(mailbox.text)) this.#busy.add(mailbox);
      else this.#busy.delete(mailbox);
    }
    if (this.#isBusy !== wasBusy) this.#parts.onBusy(!wasBusy);
  }
}

function isUnderWay({ delivery, retryTimer, unsettled, isBurying, isReadingBack, queue }: Mailbox): boolean {
  const isDelivered = delivery !== undefined || (queue.length > 0 && retryTimer === undefined);
  return isDelivered || isBurying || isReadingBack || unsettled > 0;
}
