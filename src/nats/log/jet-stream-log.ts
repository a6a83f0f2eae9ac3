import {
  type AgentName,
  type AppendOutcome,
  type Clock,
  type DeadQuery,
  type DeadReason,
  type DurableLog,
  type DurableMessage,
  errorText,
  isFullMail,
  type KeptMessage,
  type MailReceiver,
  type MakeId,
  type RuntimeLog,
  type ShardHold,
  type ShardReader,
  StoreError,
  shardCount,
  shardOf,
  storeLimits,
  type TakeOptions,
} from "../../core/internal.ts";
import type { NatsClient } from "../nats-client.ts";
import { countedMail } from "./counted-mail.ts";
import { DeadLetters, type LetterPage } from "./dead-letters.ts";
import { DeletionRounds } from "./deletion-rounds.ts";
import { HeaderPages } from "./header-pages.ts";
import { MailCounts } from "./mail-counts.ts";
import { mailIdOf, type StreamMessage, writeMailHeaders } from "./mail-headers.ts";
import { MailScan } from "./mail-scan.ts";
import type { MailStreams } from "./mail-streams.ts";
import { ReadBudget } from "./read-budget.ts";
import { reachedPlace, takenOver } from "./reader-names.ts";
import { ShardReading } from "./shard-reading.ts";
import { StreamAsks } from "./stream-asks.ts";

/** The parts of a `JetStreamLog`. */
export interface JetStreamLogParts {
  readonly client: NatsClient;
  readonly streams: MailStreams;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly log: RuntimeLog;
  /** Bytes of one mailbox. */
  readonly mailboxBytes: number;
  /** Makes the streams again that the servers no longer have; resolves to whether one was missing. */
  readonly restoreStreams: () => Promise<boolean>;
  /** Flushes the log, at the end. */
  readonly onClosed: () => void;
}

const lostText = "NATS has lost the mail of the cluster.";
/** For how long a server may answer as the leader of a stream though another one is by now. */
const staleLeaderMs = 12_000;
const staleRetryMs = 250;
/** Bytes of all mail up to which settled messages are purged. The server has so many in a few blocks. */
const mostPurgedBytes = 64 * 1024 * 1024;

/**
 * The mail of a cluster in JetStream. A message stays in one stream, on the subject of its mailbox, until it is settled: then it is deleted.
 * So a mailbox has its bound and its order from the stream.
 */
export class JetStreamLog implements DurableLog, AsyncDisposable {
  readonly shards = shardCount;
  readonly #parts: JetStreamLogParts;
  readonly #asks: StreamAsks;
  readonly #budget = new ReadBudget();
  readonly #rounds = new DeletionRounds();
  readonly #readings = new Map<number, ShardReading>();
  readonly #letters: DeadLetters;
  readonly #scan: MailScan;
  readonly #counts: MailCounts;
  readonly #endListening: () => void;
  readonly #endLooking: () => void;
  /** The streams are being looked for. Resolves to whether one was missing. */
  #restoring: Promise<boolean> | undefined;
  #isClosed = false;

  constructor(parts: JetStreamLogParts) {
    const { client, streams, clock, makeId, mailboxBytes, log } = parts;
    this.#parts = parts;
    this.#asks = new StreamAsks(client, clock);
    const { stream, subjects } = streams.mail;
    this.#scan = new MailScan(new HeaderPages(client, this.#asks, stream, subjects[0] ?? ""));
    this.#counts = new MailCounts({ client, asks: this.#asks, streams, mailboxBytes, clock, log });
    this.#letters = new DeadLetters({
      ...{ asks: this.#asks, streams, clock, makeMsgId: makeId, maxBytes: storeLimits.deadLettersBytes },
      createHeaders: () => client.createHeaders(),
    });
    this.#endListening = client.onConnected(() => void this.#reconnect());
    this.#endLooking = client.onMissingStream(() => void this.#restore());
  }

  async append(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome> {
    return await this.#append(mailbox, message, mailIdOf(mailbox, message.id));
  }

  async take(shard: number, token: number, reader: ShardReader, { lost = [] }: TakeOptions = {}): Promise<ShardHold> {
    this.#assertOpen();
    const before = this.#readings.get(shard);
    if (before !== undefined && before.token > token) throw takenOver(before.token);
    before?.lose(takenOver(token));
    const { client, streams, clock, makeId, log } = this.#parts;
    const reading: ShardReading = new ShardReading({
      ...{ client, asks: this.#asks, stream: streams.mail.stream, filter: streams.shardSubjects(shard) },
      ...{ shard, token, budget: this.#budget, clock, makeId, log, reader, lost, rounds: this.#rounds },
      isSmall: () => this.#counts.streamBytes < mostPurgedBytes,
      onRemoved: (message) => this.#counts.removed(message),
      onOver: () => {
        if (this.#readings.get(shard) !== reading) return;
        this.#readings.delete(shard);
        this.#counts.end(shard);
      },
    });
    this.#readings.set(shard, reading);
    try {
      await reading.start();
      if (this.#readings.get(shard) === reading) this.#counts.begin(shard);
    } catch (error) {
      await reading.leave();
      throw error;
    }
    return {
      settle: async (message) => {
        if (reading.isOver) return "lost";
        await reading.settle(message);
        return reading.isOver ? "lost" : "settled";
      },
      leave: () => reading.leave(),
    };
  }

  reached(shard: number): Promise<number> {
    const { client, streams } = this.#parts;
    return reachedPlace({ client, asks: this.#asks, stream: streams.mail.stream, shard });
  }

  async newest(): Promise<number> {
    this.#assertOpen();
    return await this.#asks.newest(this.#parts.streams.mail.stream);
  }

  async empty(mailbox: AgentName, upTo: number): Promise<void> {
    this.#assertOpen();
    const { mail, mailSubject } = this.#parts.streams;
    const emptied = await this.#counts.emptying(mailbox, upTo);
    await this.#asks.purge(mail.stream, mailSubject(mailbox), upTo);
    emptied();
    this.#readings.get(shardOf(mailbox))?.emptied(mailbox, upTo);
  }

  async spill(shard: number, mailbox: AgentName, { place }: Pick<KeptMessage, "place">): Promise<void> {
    this.#readings.get(shard)?.spill(mailbox, place);
  }

  async pass(shard: number, mailbox: AgentName, messages: readonly KeptMessage[]): Promise<void> {
    this.#readings.get(shard)?.pass(mailbox, messages);
  }

  async receivers(after: number): Promise<readonly MailReceiver[]> {
    this.#assertOpen();
    return await this.#scan.page(after, ({ mailbox }) => this.#readings.has(shardOf(mailbox)));
  }

  async spilled(shard: number): Promise<readonly AgentName[]> {
    return this.#readings.get(shard)?.spilledMailboxes ?? [];
  }

  async *unspill(shard: number, mailbox: AgentName): AsyncGenerator<KeptMessage, void, undefined> {
    const reading = this.#readings.get(shard);
    let unseenSinceMs: number | undefined;
    for (;;) {
      const from = reading?.spilledFrom(mailbox);
      if (reading === undefined || from === undefined) return;
      const message = await this.#nextOf(mailbox, from);
      if (reading.isOver) throw takenOver();
      if (message !== undefined) {
        unseenSinceMs = undefined;
        const kept = reading.readBack(mailbox, message);
        if (kept !== undefined) yield kept;
        continue;
      }
      if (reading.endSpill(mailbox)) return;
      // The consumer has seen a message that is not found. It was deleted, or the server that answers was replaced as the leader.
      const nowMs = this.#parts.clock.now();
      unseenSinceMs ??= nowMs;
      if (this.#parts.streams.mail.replicas === 1 || nowMs - unseenSinceMs >= staleLeaderMs)
        reading.forgetKnown(mailbox);
      else await this.#pause(staleRetryMs);
    }
  }

  async bury(message: KeptMessage, why: DeadReason): Promise<number> {
    const forgotten = await this.#letters.add(message, why);
    if (message.place > 0) {
      if (await this.#asks.remove(this.#parts.streams.mail.stream, message.place)) this.#counts.removed(message);
      this.#readings.get(shardOf(message.mailbox))?.letGo(message.place);
    }
    return forgotten;
  }

  async deadLetters(query: DeadQuery): Promise<LetterPage> {
    return await this.#letters.page(query);
  }

  async replay(letters: readonly string[]): Promise<number> {
    let count = 0;
    for (const name of letters) {
      const letter = await this.#letters.get(name);
      if (letter === undefined) continue;
      const { id, kind, frame, mailbox } = letter;
      const message = { id, kind, frame, sentAtMs: this.#parts.clock.wallNow() };
      // It is a new message, and once one if two operators replay it.
      if (isFullMail(await this.#append(mailbox, message, `replay-${name}`))) continue;
      if (await this.#letters.remove(name)) count += 1;
    }
    return count;
  }

  async drop(letters: readonly string[]): Promise<number> {
    let count = 0;
    for (const name of letters) if (await this.#letters.remove(name)) count += 1;
    return count;
  }

  /** Ends all readings, and the connection. Twice is fine. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endListening();
    this.#endLooking();
    this.#counts.close();
    await Promise.all([...this.#readings.values()].map((reading) => reading.leave()));
    await this.#parts.client.close();
    this.#parts.onClosed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #append(mailbox: AgentName, message: DurableMessage, msgId: string): Promise<AppendOutcome> {
    this.#assertOpen();
    const { client, streams } = this.#parts;
    // The sender may use its bytes again, while this waits.
    const frame = message.frame.slice();
    const mail = countedMail(streams, mailbox, message);
    const full = await this.#counts.whyFull(mail);
    if (full !== undefined) return full;
    const headers = client.createHeaders();
    writeMailHeaders(headers, msgId, mailbox, message);
    const published = await this.#asks.publish(mail.subject, frame, headers);
    if (published.at === "kept") {
      streams.know(published.place);
      this.#counts.appended(mail, published.place);
    }
    return published.at;
  }

  async #nextOf(mailbox: AgentName, from: number): Promise<StreamMessage | undefined> {
    const { mail, mailSubject } = this.#parts.streams;
    return await this.#asks.next(mail.stream, mailSubject(mailbox), Math.max(1, from));
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StoreError("closed", "The log in NATS is closed.");
  }

  async #reconnect(): Promise<void> {
    if (await this.#restore()) return;
    for (const reading of this.#readings.values()) reading.restart("the connection was lost");
  }

  /** Makes the streams again that are not there. */
  #restore(): Promise<boolean> {
    this.#restoring ??= this.#restoreNow().finally(() => {
      this.#restoring = undefined;
    });
    return this.#restoring;
  }

  async #restoreNow(): Promise<boolean> {
    if (this.#isClosed) return false;
    const { restoreStreams, streams, log } = this.#parts;
    for (const { place } of this.#readings.values()) streams.know(place);
    try {
      if (!(await restoreStreams())) return false;
      log.error("NATS has lost the mail of the cluster; its streams were made anew");
      this.#counts.forget();
      // The places of the messages that readers have are those of other messages by now.
      for (const reading of [...this.#readings.values()]) reading.lose(new StoreError("unavailable", lostText));
      return true;
    } catch (error) {
      if (!this.#isClosed) log.error("the mail of the cluster is not there in NATS", { reason: errorText(error) });
      return false;
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#parts.clock.setTimer(ms, resolve, { keepAlive: true }));
  }
}
