import type { Clock, Timer } from "../../clock.ts";
import { loggableError, loggableText } from "../../delivery/loggable.ts";
import { errorText, TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import { type AgentName, shardOf, textOfName } from "../../state/agent-name.ts";
import type { DeadReason, DurableLog, KeptMessage } from "../../state/durable-log.ts";
import { isFullMail, nameInError } from "../../state/mail-bounds.ts";
import type { StateStore, StoredMail } from "../../state/state-store.ts";
import { StoreError } from "../../state/store-error.ts";

/** The parts of an `OutboxMover`. */
export interface OutboxMoverParts {
  readonly store: Pick<StateStore, "mail" | "settle">;
  readonly log: Pick<DurableLog, "append" | "empty"> & {
    bury(message: KeptMessage, why: DeadReason): Promise<void>;
  };
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  /** The shards whose mail this process moves. It is asked again before each message. */
  readonly shards: () => readonly number[];
  readonly isActive: (shard: number) => boolean;
  /** The mailbox of a deleted agent was emptied in the log. Returns false if that must wait: it is called again. */
  readonly onEmptied: (mailbox: AgentName) => boolean;
}

/** Mail of one reading. */
const pageMail = 64;
/** The outbox is looked at so often without being told: a process that was to tell may be lost. */
const lookEveryMs = 1_000;
/** After a failure of the store or the log. */
const retryMs = 2_000;

/**
 * Moves mail that commits have left in a store into the log, under the ids that it has, so that each message is kept once. The mail of one
 * mailbox is moved in order: behind a message that the log does not take, the others wait in the store.
 */
export class OutboxMover {
  readonly #parts: OutboxMoverParts;
  #timer: Timer | undefined;
  #isMoving = false;
  /** Whether it was told of mail since the last round began. */
  #hasMore = false;
  #isStopped = true;
  #moved = 0;

  constructor(parts: OutboxMoverParts) {
    this.#parts = parts;
  }

  /** Messages that were moved. */
  get moved(): number {
    return this.#moved;
  }

  start(): void {
    this.#isStopped = false;
    this.look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** There may be mail. */
  look(): void {
    this.#hasMore = true;
    if (this.#isStopped || this.#isMoving) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    void this.#moveAll();
  }

  async #moveAll(): Promise<void> {
    this.#isMoving = true;
    let nextMs = lookEveryMs;
    try {
      while (this.#hasMore && !this.#isStopped) {
        this.#hasMore = false;
        await this.#round();
      }
    } catch (error) {
      nextMs = retryMs;
      const kind = "The mail of the state store can't be moved into the log; it is tried again in 2 s";
      this.#parts.logger.error(kind, { error: loggableError(TroupeError.from(error)) }, kind);
    }
    this.#isMoving = false;
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.setTimer(nextMs, () => {
      this.#timer = undefined;
      this.look();
    });
  }

  /**
   * Moves all that is there, in pages. A shard that comes during a round waits for the next one. Its older mail may be behind the page
   * that this round has come to.
   */
  async #round(): Promise<void> {
    const { store, shards } = this.#parts;
    const begunWith = new Set(shards());
    /** Mailboxes that take nothing now. */
    const blocked = new Set<string>();
    for (let after = 0; !this.#isStopped; ) {
      const active = shards().filter((shard) => begunWith.has(shard));
      if (active.length === 0) return;
      const page = await store.mail({ shards: active, after, limit: pageMail });
      if (page.length === 0) return;
      await this.#movePage(page, blocked);
      after = page.at(-1)?.place ?? after;
    }
  }

  async #movePage(page: readonly StoredMail[], blocked: Set<string>): Promise<void> {
    const byMailbox = new Map<string, StoredMail[]>();
    for (const mail of page) {
      const text = textOfName(mail.receiver);
      const before = byMailbox.get(text);
      if (before === undefined) byMailbox.set(text, [mail]);
      else before.push(mail);
    }
    const done: StoredMail[] = [];
    const moving = [...byMailbox].map(([text, mail]) => this.#moveMailbox(text, mail, { blocked, done }));
    const outcomes = await Promise.allSettled(moving);
    this.#moved += done.length;
    const settled = done.map(({ place, attempts }) => ({ place, attempts, nextMs: undefined }));
    if (settled.length > 0) await this.#parts.store.settle({ ticks: [], mail: settled });
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async #moveMailbox(
    text: string,
    all: readonly StoredMail[],
    { blocked, done }: { readonly blocked: Set<string>; readonly done: StoredMail[] },
  ): Promise<void> {
    for (const mail of all) {
      if (blocked.has(text) || this.#isStopped) return;
      // The shard may be this process's again with the next page.
      if (!this.#parts.isActive(shardOf(mail.receiver)) || !(await this.#move(mail))) blocked.add(text);
      else done.push(mail);
    }
  }

  /** Resolves to whether the message is the store's no more. */
  async #move({ id, kind, frame, receiver, keptAtMs: sentAtMs }: StoredMail): Promise<boolean> {
    const { log, logger, onEmptied } = this.#parts;
    if (kind === "emptied") {
      await log.empty(receiver, Number(new TextDecoder().decode(frame)));
      return onEmptied(receiver);
    }
    const message = { id, kind, frame, sentAtMs };
    try {
      if (!isFullMail(await log.append(receiver, message))) return true;
    } catch (error) {
      if (!(error instanceof StoreError) || error.storeCode !== "too-large") throw error;
      const what = "A message stays in the state store, since the log does not take it";
      logger.error(loggableText(`${what} (to ${receiver.type}/${receiver.key}): ${errorText(error)}`), undefined, what);
      return false;
    }
    if (kind === "call") return false;
    // As for a publisher that hears of it: an event does not wait for a mailbox.
    const text = `The mailbox of ${nameInError(receiver)} takes no more messages.`;
    await log.bury(
      { ...message, mailbox: receiver, place: 0, priorTakeovers: 0 },
      { code: "mailbox-full", text, attempts: 0 },
    );
    return true;
  }
}
