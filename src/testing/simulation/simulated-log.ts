import type {
  AgentName,
  AppendOutcome,
  DeadQuery,
  DeadReason,
  DurableLog,
  DurableMessage,
  KeptMessage,
  MailReceiver,
  ShardHold,
  ShardReader,
  TakeOptions,
} from "../../core/internal.ts";
import { type AskQueue, copyOf } from "./simulated-table.ts";

/** The mailboxes of a simulated store: what is asked of them waits in the queue of the store's process. */
export class SimulatedLog implements DurableLog {
  readonly shards: number;
  readonly #log: DurableLog;
  readonly #queue: AskQueue;

  constructor(log: DurableLog, queue: AskQueue) {
    this.shards = log.shards;
    this.#log = log;
    this.#queue = queue;
  }

  append(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome> {
    const copy = copyOf({ mailbox, message });
    return this.#queue.ask("put", () => this.#log.append(copy.mailbox, copy.message));
  }

  async take(shard: number, token: number, reader: ShardReader, options?: TakeOptions): Promise<ShardHold> {
    const queue = this.#queue;
    const living: ShardReader = {
      onMessage: (message) => {
        if (!queue.isLost) reader.onMessage(message);
      },
      onLost: (reason) => {
        if (!queue.isLost) reader.onLost(reason);
      },
    };
    const hold = await this.#log.take(shard, token, living, options);
    return {
      settle: (message) => queue.ask("write", () => hold.settle(message)),
      leave: () => hold.leave(),
    };
  }

  reached(shard: number): Promise<number> {
    return this.#log.reached(shard);
  }

  newest(): Promise<number> {
    return this.#queue.ask("read", () => this.#log.newest());
  }

  empty(mailbox: AgentName, upTo: number): Promise<void> {
    return this.#queue.ask("write", () => this.#log.empty(copyOf(mailbox), upTo));
  }

  spill(shard: number, mailbox: AgentName, from: Pick<KeptMessage, "place">): Promise<void> {
    return this.#log.spill(shard, mailbox, from);
  }

  pass(shard: number, mailbox: AgentName, messages: readonly KeptMessage[]): Promise<void> {
    return this.#log.pass(shard, mailbox, messages);
  }

  receivers(after: number): Promise<readonly MailReceiver[]> {
    return this.#queue.ask("read", () => this.#log.receivers(after));
  }

  spilled(shard: number): Promise<readonly AgentName[]> {
    return this.#log.spilled(shard);
  }

  unspill(shard: number, mailbox: AgentName): AsyncIterable<KeptMessage> {
    return this.#log.unspill(shard, mailbox);
  }

  bury(message: KeptMessage, why: DeadReason): Promise<number> {
    const copy = copyOf({ message, why });
    return this.#queue.ask("write", () => this.#log.bury(copy.message, copy.why));
  }

  deadLetters(query: DeadQuery): ReturnType<DurableLog["deadLetters"]> {
    return this.#queue.ask("read", () => this.#log.deadLetters(query));
  }

  replay(letters: readonly string[]): Promise<number> {
    return this.#queue.ask("write", () => this.#log.replay(letters));
  }

  drop(letters: readonly string[]): Promise<number> {
    return this.#queue.ask("write", () => this.#log.drop(letters));
  }
}
