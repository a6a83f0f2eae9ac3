import type { Clock } from "../../clock.ts";
import { IndexedSet } from "../../collections/indexed-set.ts";
import { loggableError } from "../../delivery/loggable.ts";
import { TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import { type AgentName, shardOf, textOfName } from "../../state/agent-name.ts";
import type { DeadReason, DurableLog, KeptMessage, ShardHold } from "../../state/durable-log.ts";
import type { CourierDelivery, Deliver } from "../courier-call.ts";
import type { CourierObservers } from "../courier-occurrence.ts";
import type { CourierSlots, SlotUse } from "../courier-slots.ts";
import { decideRetry, noTries, type RetrySettings } from "../retry-policy.ts";
import { FinishingShards } from "../shards/finishing-shards.ts";
import { AwaitedMail } from "./awaited-mail.ts";
import { LeftMail } from "./left-mail.ts";
import { MailReports } from "./mail-reports.ts";
import { createMailbox, isUnderWay, type Mailbox, mayLeave } from "./mailbox.ts";
import { MailboxMemory } from "./mailbox-memory.ts";
import { MailboxSlots } from "./mailbox-slots.ts";
import { logRetryMs, MailboxSpilling } from "./mailbox-spilling.ts";

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
  readonly isServed: (agentType: string) => boolean;
  readonly deliver: Deliver;
  /** Returns the hold of a shard; undefined: it was lost. */
  readonly holdOf: (shard: number) => ShardHold | undefined;
  /** Called when the first message begins to be under way, and when the last one has ended. One that waits for a retry is not. */
  readonly onBusy: (isBusy: boolean) => void;
  readonly observers: CourierObservers | undefined;
}

// An agent remembers twice as many ids of mail: an unsettled message comes again after a crash.
/** Handled messages of one mailbox that are not settled yet. */
const mostUnsettled = 32;
/** A message may be the end of its hosts if this number of them was lost with it. */
const mostTakeovers = 10;

/**
 * Delivers the messages of mailboxes, those of one agent in order. A message that fails is tried again, and those behind it wait. One
 * that can't succeed, or has failed too often, becomes a dead letter. A mailbox for which memory has no space stays in the log until it has.
 */
export class MailboxDelivery {
  readonly #parts: MailboxDeliveryParts;
  readonly #memory = new MailboxMemory();
  readonly #slots: MailboxSlots;
  readonly #spilling: MailboxSpilling;
  readonly #left: LeftMail;
  readonly #reports: MailReports;
  #busy = new IndexedSet<"busySlot", Mailbox>("busySlot");
  readonly #awaited = new AwaitedMail();
  readonly #finishing = new FinishingShards((shard) =>
    this.#memory.all().some((mailbox) => {
      const { delivery, unsettled, isBurying } = mailbox;
      return mailbox.shard === shard && (delivery !== undefined || unsettled > 0 || isBurying);
    }),
  );
  #isToldBusy = false;
  #isStopped = false;
  #delivered = 0;
  #buried = 0;

  constructor(parts: MailboxDeliveryParts) {
    this.#parts = parts;
    const { log, clock, logger, slots, useOf, isServed } = parts;
    const memory = this.#memory;
    this.#reports = new MailReports({ clock, logger, observers: parts.observers });
    const kick = (mailbox: Mailbox) => this.#kick(mailbox);
    this.#slots = new MailboxSlots({ clock, slots, useOf, onTurn: kick });
    this.#spilling = new MailboxSpilling({
      ...{ log, clock, logger, memory, kick },
      onRead: ({ mailbox, id }) => this.expectNoMore(mailbox, id),
      freeSlot: (mailbox) => this.#slots.free(mailbox),
    });
    this.#left = new LeftMail({
      ...{ log, clock, logger, isServed },
      isInMemory: (agent) => memory.get(textOfName(agent)) !== undefined,
      hasRoom: (agent) => memory.hasRoom(agent, useOf(agent, 0).party),
      open: (receiver) => {
        const mailbox = this.#open(receiver.mailbox, useOf(receiver.mailbox, 0).party);
        this.#spilling.spillAll(mailbox, receiver);
        this.#kick(mailbox);
        return mailbox.text;
      },
      retire: (isRetired) => {
        for (const mailbox of memory.all()) {
          const isWaiting = mailbox.retryTimer !== undefined && mayLeave(mailbox);
          if (isWaiting && isRetired(mailbox.name.type)) this.#leave(mailbox);
        }
      },
      onChange: () => this.#tellBusy(),
    });
  }

  /** Messages that were handled. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Messages that became dead letters. */
  get buried(): number {
    return this.#buried;
  }

  /** When the oldest message that is known was sent. Undefined: there is none. */
  oldestSentAtMs(): number | undefined {
    const [inMemory, left] = [this.#memory.oldestSentAtMs(), this.#left.oldestSentAtMs()];
    return inMemory === undefined || left === undefined ? (inMemory ?? left) : Math.min(inMemory, left);
  }

  stop(): void {
    this.#isStopped = true;
    this.#slots.stop();
    this.clear();
  }

  /** Forgets what is in memory: the log has it. */
  clear(): void {
    for (const { retryTimer } of this.#memory.all()) retryTimer?.cancel();
    this.#memory.clear();
    this.#left.clear();
    this.#slots.clear();
    this.#busy = new IndexedSet("busySlot");
    this.#awaited.clear();
    this.#tellBusy();
  }

  /** Begins nothing new in a shard; resolves when nothing is under way there. */
  finishShard(shard: number): Promise<void> {
    return this.#finishing.finish(shard);
  }

  /** Forgets what is in memory of a shard. */
  clearShard(shard: number): void {
    this.#finishing.forget(shard);
    for (const mailbox of this.#memory.all()) {
      if (mailbox.shard !== shard) continue;
      mailbox.retryTimer?.cancel();
      this.#busy.delete(mailbox);
      this.#remove(mailbox);
      // What is under way keeps its slot to its end.
      if (mailbox.delivery === undefined) this.#slots.forget(mailbox);
    }
    this.#tellBusy();
  }

  /** A message is being kept: from now on deliveries are under way. */
  expect(mailbox: AgentName, id: string): void {
    const text = textOfName(mailbox);
    if (this.#isStopped || this.#memory.get(text)?.isSpilled === true) return;
    this.#awaited.add(text, id);
    this.#tellBusy();
  }

  /** The message is not kept, or the mailbox had it before. */
  expectNoMore(mailbox: AgentName, id: string): void {
    this.#awaited.delete(textOfName(mailbox), id);
    this.#tellBusy();
  }

  /** Takes a message from the log. */
  take(message: KeptMessage): void {
    if (this.#isStopped) return;
    const { mailbox: agent, id, place } = message;
    const mailbox = this.#memory.get(textOfName(agent)) ?? this.#openFor(agent);
    if (mailbox === undefined) {
      this.#pass(shardOf(agent), agent, [message]);
      this.#left.note(agent.type, place);
      this.expectNoMore(agent, id);
      return;
    }
    this.#spilling.put(mailbox, message);
    this.#kick(mailbox);
    this.expectNoMore(agent, id);
    this.#spilling.relieve();
  }

  /** The agent was deleted with its mailbox. */
  drop(agent: AgentName): void {
    const mailbox = this.#memory.get(textOfName(agent));
    if (mailbox === undefined) return;
    const from = this.#startOfRest(mailbox);
    for (const message of mailbox.queue.slice(from)) void this.#settle(mailbox, message);
    this.#memory.cut(mailbox, from);
    mailbox.delivery?.withdraw();
    this.#kick(mailbox);
  }

  /**
   * Reads the mailbox of an agent again that may have been deleted with it, since the store can't say. A message that is being delivered is
   * withdrawn if it has not begun, and read again with the others. Returns false if it is being read just now.
   */
  readAgain(agent: AgentName): boolean {
    const mailbox = this.#memory.get(textOfName(agent));
    if (mailbox === undefined) return true;
    // Its messages come in their order only if it is read to the end.
    if (mailbox.isReadingBack) return false;
    this.#spilling.spill(mailbox, this.#startOfRest(mailbox));
    mailbox.isDoubtful = mailbox.delivery !== undefined;
    mailbox.delivery?.withdraw();
    this.#kick(mailbox);
    return true;
  }

  /** Returns the place behind the head, if that is delivered or buried now: it has its own end. Else the next head is tried from the beginning. */
  #startOfRest(mailbox: Mailbox): 0 | 1 {
    if (mailbox.delivery !== undefined || mailbox.isBurying) return 1;
    mailbox.retryTimer?.cancel();
    mailbox.retryTimer = undefined;
    mailbox.tries = noTries;
    return 0;
  }

  /** Undefined: the mailbox stays in the log. */
  #openFor(agent: AgentName): Mailbox | undefined {
    const { party } = this.#parts.useOf(agent, 0);
    return this.#left.isLeft(agent.type) || !this.#memory.hasRoom(agent, party) ? undefined : this.#open(agent, party);
  }

  #open(agent: AgentName, party: string): Mailbox {
    const mailbox = createMailbox(agent, party);
    this.#memory.put(mailbox);
    return mailbox;
  }

  #remove(mailbox: Mailbox): void {
    this.#memory.remove(mailbox);
    this.#left.noteRoom(mailbox.name.type, mailbox.text);
  }

  /** Takes a mailbox out of memory whose messages wait in the log. */
  #leave(mailbox: Mailbox): void {
    mailbox.retryTimer?.cancel();
    mailbox.retryTimer = undefined;
    this.#pass(mailbox.shard, mailbox.name, mailbox.queue);
    this.#slots.forget(mailbox);
    this.#busy.delete(mailbox);
    // The log has left out those that came while it was spilled.
    if (mailbox.isSpilled) this.#awaited.deleteAll(mailbox.text);
    this.#left.note(mailbox.name.type, 0);
    this.#remove(mailbox);
    this.#tellBusy();
  }

  #pass(shard: number, agent: AgentName, messages: readonly KeptMessage[]): void {
    // A log that can't do this leaves the messages where a new reader finds them.
    this.#parts.log.pass(shard, agent, messages).catch((error: unknown) => {
      const text = "The log can't leave out the messages of a mailbox";
      this.#parts.logger.error(text, { error: loggableError(TroupeError.from(error)) }, text);
    });
  }

  /** Does what is next for a mailbox. */
  #kick(mailbox: Mailbox): void {
    if (this.#isCurrent(mailbox)) this.#next(mailbox);
    else if (mailbox.delivery === undefined) this.#slots.free(mailbox);
    this.#finishing.look(mailbox.shard);
    const isBusy = isUnderWay(mailbox) && this.#memory.get(mailbox.text) === mailbox;
    if (!isBusy) this.#busy.delete(mailbox);
    else if (!this.#busy.has(mailbox)) this.#busy.add(mailbox);
    this.#tellBusy();
  }

  #isCurrent(mailbox: Mailbox): boolean {
    return !this.#isStopped && this.#memory.get(mailbox.text) === mailbox;
  }

  #next(mailbox: Mailbox): void {
    const { delivery, retryTimer, unsettled, isBurying, isReadingBack, slot, queue } = mailbox;
    if (slot === "waiting" || delivery !== undefined || retryTimer !== undefined || isBurying || isReadingBack) return;
    if (this.#finishing.has(mailbox.shard)) return this.#slots.free(mailbox);
    const [head] = queue;
    if (head === undefined && !mailbox.isSpilled) {
      this.#slots.free(mailbox);
      if (unsettled === 0) this.#remove(mailbox);
      return;
    }
    if (unsettled >= mostUnsettled) return this.#slots.free(mailbox);
    // What is read back needs a slot first, so that no more comes into memory than can be delivered.
    if (!this.#slots.has(mailbox, head?.frame.length ?? mailbox.spilledHeadBytes)) return;
    if (head === undefined) return void this.#spilling.readBack(mailbox);
    if (head.priorTakeovers >= mostTakeovers) return this.#buryPoison(mailbox, head);
    const { mailbox: agent, id, kind, frame, place } = head;
    const attempt = mailbox.tries.attempts + 1;
    mailbox.delivery = this.#parts.deliver({ agent, id, kind, frame, attempt, place, reminder: undefined });
    void this.#end(mailbox, head, mailbox.delivery);
  }

  async #end(mailbox: Mailbox, head: KeptMessage, delivery: CourierDelivery): Promise<void> {
    const outcome = await delivery.outcome;
    const { isDoubtful } = mailbox;
    mailbox.delivery = undefined;
    mailbox.isDoubtful = false;
    if (!this.#isCurrent(mailbox)) return this.#slots.free(mailbox);
    if (isDoubtful && outcome.at !== "handled") {
      // It may be gone with its agent, also if this attempt has failed: the log knows.
      this.#spilling.spill(mailbox, this.#startOfRest(mailbox));
    } else if (outcome.at === "failed") {
      this.#retry(mailbox, head, outcome.error);
    } else {
      if (outcome.at === "handled") {
        this.#delivered += 1;
        this.#reports.observe(head, "delivered", undefined);
        this.#left.notePresent(mailbox.name.type);
      }
      this.#memory.shift(mailbox);
      void this.#settle(mailbox, head);
    }
    this.#slots.free(mailbox);
    this.#kick(mailbox);
  }

  #retry(mailbox: Mailbox, head: KeptMessage, error: TroupeError): void {
    const { clock, random, settings, isServed } = this.#parts;
    const ageMs = clock.wallNow() - head.sentAtMs;
    const decision = decideRetry(error, mailbox.tries, { ageMs, random: random(), settings });
    if (decision.at === "bury") {
      mailbox.isBurying = true;
      void this.#bury(mailbox, head, decision.why);
      return;
    }
    const isFirstWait = mailbox.tries.waits === 0 && decision.tries.waits > 0;
    const { type } = mailbox.name;
    if (decision.tries.waits === 0) this.#left.notePresent(type);
    else if (mayLeave(mailbox) && !isServed(type)) {
      const absent = this.#left.noteAbsent(type, mailbox.text, head.sentAtMs);
      if (absent === "first") this.#reports.waits(mailbox.name, error);
      if (absent !== false) return this.#leave(mailbox);
    }
    if (isFirstWait && !this.#left.isLeft(type)) this.#reports.waits(mailbox.name, error);
    mailbox.tries = decision.tries;
    this.#reports.observe(head, "retried", error.code);
    mailbox.retryTimer = clock.setTimer(decision.delayMs, () => {
      mailbox.retryTimer = undefined;
      this.#kick(mailbox);
    });
    if (this.#memory.isCrowded) this.#spilling.spill(mailbox, 0);
  }

  #buryPoison(mailbox: Mailbox, head: KeptMessage): void {
    mailbox.isBurying = true;
    this.#slots.free(mailbox);
    const text = `${head.priorTakeovers} hosts were lost that may have had the message.`;
    void this.#bury(mailbox, head, { code: "too-many-takeovers", text, attempts: mailbox.tries.attempts });
  }

  async #bury(mailbox: Mailbox, head: KeptMessage, why: DeadReason): Promise<void> {
    this.#reports.isDead(head, why);
    await this.#untilWritten(() => this.#parts.bury(head, why));
    mailbox.isBurying = false;
    if (this.#memory.get(mailbox.text) !== mailbox) return;
    this.#buried += 1;
    this.#reports.observe(head, "buried", why.code);
    this.#memory.shift(mailbox);
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

  /** Says whether messages are under way, if that has changed. */
  #tellBusy(): void {
    const isBusy = this.#busy.size > 0 || !this.#awaited.isEmpty || this.#left.isBusy;
    if (isBusy === this.#isToldBusy) return;
    this.#isToldBusy = isBusy;
    this.#parts.onBusy(isBusy);
  }
}
