import type { Clock } from "../../clock.ts";
import { loggableError, loggableText } from "../../delivery/loggable.ts";
import { errorText, TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { DurableLog, KeptMessage, MailReceiver } from "../../state/durable-log.ts";
import { StoreError } from "../../state/store-error.ts";
import type { Mailbox } from "./mailbox.ts";
import type { MailboxMemory } from "./mailbox-memory.ts";

/** The parts of `MailboxSpilling`. */
export interface MailboxSpillingParts {
  readonly log: DurableLog;
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  readonly memory: MailboxMemory;
  /** A message was read back. */
  readonly onRead: (message: KeptMessage) => void;
  /** Does what is next for a mailbox. */
  readonly kick: (mailbox: Mailbox) => void;
  readonly freeSlot: (mailbox: Mailbox) => void;
}

/** Messages of one mailbox in memory; more are spilled. */
const mostInMailbox = 64;
export const logRetryMs = 2_000;

/** Moves messages of mailboxes in memory out of the way of the log, and reads them back. */
export class MailboxSpilling {
  readonly #parts: MailboxSpillingParts;

  constructor(parts: MailboxSpillingParts) {
    this.#parts = parts;
  }

  /** Puts a message that has come behind the others of its mailbox. */
  put(mailbox: Mailbox, message: KeptMessage): void {
    if (mailbox.isSpilled || mailbox.queue.length >= mostInMailbox) this.#spillFrom(mailbox, message);
    else this.#parts.memory.add(mailbox, message);
  }

  /** All messages of a mailbox that has come into memory are in the log. */
  spillAll(mailbox: Mailbox, { bytes }: MailReceiver): void {
    mailbox.spilledHeadBytes = bytes;
    this.#spillFrom(mailbox, { place: 0 });
  }

  /** Takes the messages of a mailbox from this place on out of memory. */
  spill(mailbox: Mailbox, from: number): void {
    const message = mailbox.queue[from];
    if (message === undefined) return;
    if (from === 0) mailbox.spilledHeadBytes = message.frame.length;
    this.#spillFrom(mailbox, message);
    this.#parts.memory.cut(mailbox, from);
  }

  /** Spills the longest mailboxes. Where all are short, those go whose heads are not under way. */
  relieve(): void {
    const { memory } = this.#parts;
    if (!memory.isPressed) return;
    for (const mailbox of memory.longestFirst()) {
      if (!memory.isCrowded) return;
      // Its messages come in their order only if it is read to the end.
      if (mailbox.isBurying || mailbox.isReadingBack) continue;
      this.spill(mailbox, mailbox.delivery === undefined ? 0 : 1);
    }
  }

  /** Takes spilled messages into memory again, as many as there is room for. */
  async readBack(mailbox: Mailbox): Promise<void> {
    const { logger, clock, freeSlot, kick } = this.#parts;
    mailbox.isReadingBack = true;
    const { spills } = mailbox;
    let isWhole = false;
    try {
      isWhole = await this.#readSome(mailbox);
    } catch (error) {
      // Another host reads this shard by now; its own reader tells.
      const isElsewhere = error instanceof StoreError && error.storeCode === "fenced";
      const text = "Messages can't be read; the log is asked again in 2 s";
      if (!isElsewhere) logger.error(text, { error: loggableError(TroupeError.from(error)) });
      freeSlot(mailbox);
      mailbox.retryTimer = clock.setTimer(logRetryMs, () => {
        mailbox.retryTimer = undefined;
        kick(mailbox);
      });
    }
    mailbox.isReadingBack = false;
    if (isWhole && mailbox.spills === spills) mailbox.isSpilled = false;
    kick(mailbox);
  }

  async #readSome(mailbox: Mailbox): Promise<boolean> {
    const { log, memory, onRead } = this.#parts;
    for await (const message of log.unspill(mailbox.shard, mailbox.name)) {
      if (memory.get(mailbox.text) !== mailbox) return false;
      memory.add(mailbox, message);
      onRead(message);
      if (mailbox.queue.length >= mostInMailbox || memory.isCrowded) return false;
    }
    return true;
  }

  #spillFrom(mailbox: Mailbox, from: Pick<KeptMessage, "place">): void {
    mailbox.isSpilled = true;
    mailbox.spills += 1;
    // A spill of this log writes nothing that could fail; one that fails leaves the message where a new reader finds it.
    this.#parts.log.spill(mailbox.shard, mailbox.name, from).catch((error: unknown) => {
      const kind = "A message can't be spilled";
      this.#parts.logger.error(loggableText(`${kind}: ${errorText(error)}`), undefined, kind);
    });
  }
}
