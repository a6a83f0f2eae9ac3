import type { ErrorCode } from "../errors.ts";
import type { AgentName } from "./agent-name.ts";
import type { AppendOutcome } from "./mail-bounds.ts";
import { StoreError } from "./store-error.ts";

/** A message for a mailbox. */
export interface DurableMessage {
  readonly id: string;
  readonly kind: "call" | "event";
  /** The message as it goes over the wire. */
  readonly frame: Uint8Array;
  /** Wall clock, milliseconds since 1970. */
  readonly sentAtMs: number;
}

/** A message in a mailbox. */
export interface KeptMessage extends DurableMessage {
  readonly mailbox: AgentName;
  /** Later messages have a higher place. 0: the message is in no mailbox. */
  readonly place: number;
  /** Readers of the shard that were lost while they had this message. */
  readonly priorTakeovers: number;
}

/** The reason for which a message became a dead letter. */
export interface DeadReason {
  readonly code: ErrorCode | "too-many-takeovers" | "expired" | "mailbox-full";
  readonly text: string;
  readonly attempts: number;
}

/** A dead letter. */
export interface DeadLetter extends KeptMessage {
  /** Names this dead letter; no other one of the log has the same. */
  readonly letter: string;
  readonly why: DeadReason;
  readonly diedAtMs: number;
}

/** Which dead letters to read. */
export interface DeadQuery {
  /** Default: of all mailboxes. */
  readonly mailbox?: AgentName | undefined;
  /** The `letter` with which the last page ended. Default: from the oldest. */
  readonly after?: string | undefined;
  /** Reads this dead letter alone, whatever the rest of the query says. Default: all. */
  readonly letter?: string | undefined;
  readonly limit: number;
  /** Bytes of the frames of a page. A page has one letter at least, if there is one. Default: no bound. */
  readonly maxBytes?: number | undefined;
}

/** A reader with a higher token has the shard. */
export class ShardTakenError extends StoreError {
  /** The token of that reader. */
  readonly token: number;

  constructor(text: string, token: number) {
    super("fenced", text);
    this.token = token;
  }
}

/** Takes the messages of a shard. */
export interface ShardReader {
  /** Gets each message, in the order of the log. */
  onMessage(message: KeptMessage): void;
  /** Another reader has taken the shard (`fenced`), or the log can't be reached: stop at once. The owner of the shard takes it again. */
  onLost(error: StoreError): void;
}

/** A shard that a reader holds. */
export interface ShardHold {
  /** Ends a message's time in its mailbox. `lost`: another reader has the shard. */
  settle(message: KeptMessage): Promise<"settled" | "lost">;
  leave(): Promise<void>;
}

/** Readers of a shard that were lost, and how far they had read. */
export interface LostReaders {
  /** The last place that they were given. */
  readonly upTo: number;
  readonly count: number;
}

/** Options of `take`. */
export interface TakeOptions {
  /** Readers before that were lost. A message counts those that may have had it as its `priorTakeovers`. Default: none. */
  readonly lost?: readonly LostReaders[] | undefined;
}

/** An agent that has mail. */
export interface MailReceiver {
  readonly mailbox: AgentName;
  /** The place of one of its messages, and the length of that message. */
  readonly place: number;
  readonly bytes: number;
}

/**
 * Keeps messages in one mailbox for each agent. Every mailbox belongs to a shard, and a shard has one reader at a time. Methods reject
 * only when the log can't be reached.
 */
export interface DurableLog {
  readonly shards: number;
  /**
   * Resolves when the message is kept. `known`: the mailbox was given a message of this id in the last 10 minutes. `full`: the mailbox
   * takes no more. `type-full`, `mail-full`: the mail of its agent type, or of the log, takes no more. Rejects as `too-large` for a message
   * that no empty mailbox takes.
   */
  append(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome>;
  /**
   * Begins with the oldest message. A reader before this one, which has a lower token, settles nothing any more. Rejects as `fenced` if a
   * reader with a higher token has the shard; with a `ShardTakenError` if several processes read the log.
   */
  take(shard: number, token: number, reader: ShardReader, options?: TakeOptions): Promise<ShardHold>;
  /** The last place that a reader of the shard was given, as far as the log knows; else 0. Ask before you take the shard. */
  reached(shard: number): Promise<number>;
  /** The last place that a message has. What is kept from now on has a higher one. */
  newest(): Promise<number>;
  /** Deletes the messages of a mailbox up to a place. A reader that has them settles them in vain. */
  empty(mailbox: AgentName, upTo: number): Promise<void>;
  /** Moves this message and later ones of its mailbox out of the way of their shard: the reader does not get them. Place 0: all of them. */
  spill(shard: number, mailbox: AgentName, from: Pick<KeptMessage, "place">): Promise<void>;
  /**
   * Leaves messages that the reader has, and all that are spilled, in a mailbox. The reader gets none of them again until it has spilled all
   * of the mailbox and reads them back. It finds the mailbox in `receivers`.
   */
  pass(shard: number, mailbox: AgentName, messages: readonly KeptMessage[]): Promise<void>;
  /**
   * Reads a page of the agents that have mail in the shards of this log's readers. It is in the order of their messages; an agent may come
   * several times. Empty: that was the last.
   */
  receivers(after: number): Promise<readonly MailReceiver[]>;
  /** The mailboxes of a shard that have spilled messages. */
  spilled(shard: number): Promise<readonly AgentName[]>;
  /**
   * Reads the spilled messages of a mailbox back, in order. Those that were read are spilled no more; those that were not read when the
   * loop was left still are.
   */
  unspill(shard: number, mailbox: AgentName): AsyncIterable<KeptMessage>;
  /**
   * Ends a message's time in its mailbox, and keeps it as a dead letter. One with the place 0 is in no mailbox. If all dead letters have too
   * many bytes, the log forgets the oldest of the agent types that have the most. Resolves to the number of those.
   */
  bury(message: KeptMessage, why: DeadReason): Promise<number>;
  deadLetters(query: DeadQuery): Promise<{ readonly letters: readonly DeadLetter[]; readonly isLast: boolean }>;
  /** Puts dead letters into their mailboxes again, as new messages. Resolves to their number. A full mailbox takes none. */
  replay(letters: readonly string[]): Promise<number>;
  /** Drops dead letters. Resolves to their number. */
  drop(letters: readonly string[]): Promise<number>;
}

/** Counts the readers that were lost and may have had the message at a place. */
export function takeoversAt(place: number, lost: readonly LostReaders[]): number {
  return lost.reduce((sum, { upTo, count }) => (place <= upTo ? sum + count : sum), 0);
}
