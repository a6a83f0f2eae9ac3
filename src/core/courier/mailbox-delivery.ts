// Over 400 lines: one machine moves the messages of a mailbox, and each step reads what the others write.
import type { Clock, Timer } from "../clock.ts";
import { loggableError, loggableText } from "../delivery/loggable.ts";
import { errorText, TroupeError } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import { type AgentName, shardOf, textOfName } from "../state/agent-name.ts";
import type { DeadReason, DurableLog, KeptMessage, ShardHold } from "../state/durable-log.ts";
import type { CourierDelivery, Deliver } from "./courier-call.ts";
import type { CourierSlots, SlotUse } from "./courier-slots.ts";
import { decideRetry, noTries, type RetrySettings, type Tries } from "./retry-policy.ts";

/** The parts of `MailboxDelivery`. */
export interface MailboxDeliveryParts {
  readonly log: DurableLog;
  /** Makes a dead letter. */
  readonly bury: (message: KeptMessage, why: DeadReason) => Promise<void>;
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  readonly settings: RetrySettings;
  readonly random: () => number;
  readonly slots: CourierSlots;
  /** Returns what a message of this length takes of the slots. */
  readonly useOf: (agent: AgentName, bytes: number) => SlotUse;
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
  /** `held`: by the delivery, or while messages are read back for one. */
  slot: "none" | "waiting" | "held";
  use: SlotUse | undefined;
  /** Length of the head if that is out of the way, too. */
  spilledHeadBytes: number;
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
/** Messages that are tried again in one turn of the event loop: thousands may be due at once. */
const retriesAtOnce = 100;

/**
 * Delivers the messages of mailboxes, those of one agent in order. A message that fails is tried again, and those behind it wait. One
 * that can't succeed, or has failed too often, becomes a dead letter.
 */
export class MailboxDelivery {
  readonly #parts: MailboxDeliveryParts;
  readonly #mailboxes = new Map<string, Mailbox>();
  readonly #busy = new Set<Mailbox>();
  /** Mailboxes with messages in memory. */
  readonly #filled = new Set<Mailbox>();
  /** Mailboxes that go on in later turns of the event loop. */
  readonly #later = new Set<Mailbox>();
  #retriesLeft: number = retriesAtOnce;
  #turnTimer: Timer | undefined;
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
    this.#turnTimer?.cancel();
    this.clear();
  }

  /** Forgets what is in memory: the log has it. */
  clear(): void {
    const wasBusy = this.#isBusy;
    for (const { retryTimer } of this.#mailboxes.values()) retryTimer?.cancel();
    this.#mailboxes.clear();
    this.#busy.clear();
    this.#filled.clear();
    this.#later.clear();
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
    this.#kick(mailbox);
    if (this.#messages > pressure.messages || this.#bytes > pressure.bytes) this.#relieve();
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
      ...{ slot: "none", use: undefined, spilledHeadBytes: 0 },
      onSlot: () => {
        mailbox.slot = "held";
        this.#kick(mailbox);
      },
    };
    this.#mailboxes.set(text, mailbox);
    return mailbox;
  }

  #add(mailbox: Mailbox, message: KeptMessage): void {
    mailbox.queue.push(message);
    this.#filled.add(mailbox);
    this.#messages += 1;
    this.#bytes += message.frame.length;
  }

  /** Takes the messages from this place on out of memory. */
  #cut(mailbox: Mailbox, from: number): void {
    for (const { frame } of mailbox.queue.splice(from)) {
      this.#messages -= 1;
      this.#bytes -= frame.length;
    }
    if (mailbox.queue.length === 0) this.#filled.delete(mailbox);
  }

  #shift(mailbox: Mailbox): void {
    const [head] = mailbox.queue.splice(0, 1);
    if (head === undefined) return;
    this.#messages -= 1;
    this.#bytes -= head.frame.length;
    if (mailbox.queue.length === 0) this.#filled.delete(mailbox);
    mailbox.tries = noTries;
  }

  /** Does what is next for a mailbox. */
  #kick(mailbox: Mailbox): void {
    if (this.#isCurrent(mailbox)) this.#next(mailbox);
    else if (mailbox.delivery === undefined) this.#freeSlot(mailbox);
    this.#changeBusy(() => undefined, mailbox);
  }

  #isCurrent(mailbox: Mailbox): boolean {
    return !this.#isStopped && this.#mailboxes.get(mailbox.text) === mailbox;
  }

  #next(mailbox: Mailbox): void {
    const { delivery, retryTimer, unsettled, isBurying, isReadingBack, slot, queue } = mailbox;
    if (slot === "waiting" || delivery !== undefined || retryTimer !== undefined || isBurying || isReadingBack) return;
    const [head] = queue;
    if (head === undefined && !mailbox.isSpilled) {
      this.#freeSlot(mailbox);
      if (unsettled === 0) this.#mailboxes.delete(mailbox.text);
      return;
    }
    if (unsettled >= mostUnsettled) return this.#freeSlot(mailbox);
    // What is read back needs a slot first, so that no more comes into memory than can be delivered.
    if (!this.#hasSlot(mailbox, head?.frame.length ?? mailbox.spilledHeadBytes)) return;
    if (head === undefined) return void this.#readBack(mailbox);
    const { mailbox: agent, id, kind, frame, place } = head;
    const attempt = mailbox.tries.attempts + 1;
    mailbox.delivery = this.#parts.deliver({ agent, id, kind, frame, attempt, place, reminder: undefined });
    void this.#end(mailbox, head, mailbox.delivery);
  }

  #hasSlot(mailbox: Mailbox, bytes: number): boolean {
    const { slots, useOf } = this.#parts;
    if (mailbox.slot === "held" && mailbox.use?.bytes === bytes) return true;
    this.#freeSlot(mailbox);
    mailbox.slot = "waiting";
    if (mailbox.tries !== noTries) {
      if (this.#retriesLeft === 0) {
        this.#later.add(mailbox);
        return false;
      }
      this.#retriesLeft -= 1;
      this.#turnTimer ??= this.#parts.clock.setTimer(0, () => this.#goOn());
    }
    const use = useOf(mailbox.name, bytes);
    mailbox.use = use;
    if (!slots.take(use, mailbox.onSlot)) return false;
    mailbox.slot = "held";
    return true;
  }

  /** The next turn of the event loop: those that have waited for it are the first. */
  #goOn(): void {
    this.#turnTimer = undefined;
    this.#retriesLeft = retriesAtOnce;
    for (const mailbox of this.#later) {
      if (this.#retriesLeft === 0) return;
      this.#later.delete(mailbox);
      mailbox.slot = "none";
      this.#kick(mailbox);
    }
  }

  #freeSlot(mailbox: Mailbox): void {
    if (mailbox.slot !== "held" || mailbox.use === undefined) return;
    mailbox.slot = "none";
    this.#parts.slots.free(mailbox.use);
  }

  async #end(mailbox: Mailbox, head: KeptMessage, delivery: CourierDelivery): Promise<void> {
    const outcome = await delivery.outcome;
    mailbox.delivery = undefined;
    if (!this.#isCurrent(mailbox)) return this.#freeSlot(mailbox);
    if (outcome.at === "failed") {
      this.#retry(mailbox, head, outcome.error);
    } else {
      if (outcome.at === "handled") this.#delivered += 1;
      this.#shift(mailbox);
      void this.#settle(mailbox, head);
    }
    this.#freeSlot(mailbox);
    this.#kick(mailbox);
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
        undefined,
        "Told messages wait for an agent to which they can't be delivered",
      );
    }
    mailbox.tries = decision.tries;
    mailbox.retryTimer = clock.setTimer(decision.delayMs, () => {
      mailbox.retryTimer = undefined;
      this.#kick(mailbox);
    });
    if (this.#messages > relief.messages || this.#bytes > relief.bytes) this.#spill(mailbox, 0);
  }

  async #bury(mailbox: Mailbox, head: KeptMessage, why: DeadReason): Promise<void> {
    const { logger, bury } = this.#parts;
    const attempts = why.attempts === 1 ? "1 attempt" : `${why.attempts} attempts`;
    const text = `A message to ${head.mailbox.type}/${head.mailbox.key} is a dead letter (${why.code}, ${attempts}): ${why.text}`;
    logger.error(loggableText(text), undefined, "A told message is a dead letter");
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
      const kind = "A message can't be spilled";
      this.#parts.logger.error(loggableText(`${kind}: ${errorText(error)}`), undefined, kind);
    });
  }

  /** Takes the messages of a mailbox from this place on out of the way. */
  #spill(mailbox: Mailbox, from: number): void {
    const message = mailbox.queue[from];
    if (message === undefined) return;
    if (from === 0) mailbox.spilledHeadBytes = message.frame.length;
    this.#spillFrom(mailbox, message);
    this.#cut(mailbox, from);
  }

  /** Spills the longest mailboxes. Where all are short, those go whose heads are not under way. */
  #relieve(): void {
    const byLength = [...this.#filled].sort((a, b) => b.queue.length - a.queue.length);
    for (const mailbox of byLength) {
      if (this.#messages <= relief.messages && this.#bytes <= relief.bytes) return;
      // Its messages come in their order only if it is read to the end.
      if (mailbox.isBurying || mailbox.isReadingBack) continue;
      this.#spill(mailbox, mailbox.delivery === undefined ? 0 : 1);
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
      this.#freeSlot(mailbox);
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

function isUnderWay({ delivery, retryTimer, unsettled, isBurying, isReadingBack, queue, slot }: Mailbox): boolean {
  const isDelivered = delivery !== undefined || (queue.length > 0 && retryTimer === undefined);
  return isDelivered || slot === "waiting" || isBurying || isReadingBack || unsettled > 0;
}
