import type { StoreError } from "../../core/internal.ts";
import { bytesOfTexts } from "../waiting-bytes.ts";
import { answerBytes } from "./answer-bytes.ts";
import { type Ask, type AskOf, isWrite, type Reply, type WriteAsk } from "./asks.ts";
import { GatheredMail, type MailPart } from "./mail-parts.ts";
import { toStoreError } from "./sqlite-error.ts";
import type { StateDatabase } from "./state-database.ts";

/** Commits and bytes of one transaction. One call of `commit` is never divided. */
const mostCommits = 256;
const mostBytes = 4 * 1024 * 1024;
/** Bytes of answers that are on their way to the store. One more answer may come on top. */
const mostReplyBytes = 4 * 1024 * 1024;

type Control = AskOf<"open"> | AskOf<"look"> | AskOf<"close">;
type ReadAsk = Exclude<Ask, Control | WriteAsk>;

/** The parts of an `AskQueue`. */
export interface AskQueueParts {
  readonly database: StateDatabase;
  readonly file: string;
  /** Takes replies. `isFull`: the queue answers nothing more until `resume`. */
  readonly reply: (replies: readonly Reply[], isFull: boolean) => void;
  /** Adds what has come meanwhile. It is called before each group. */
  readonly drain: () => void;
}

/**
 * Questions that wait for a database. Writes that wait together are one transaction; the time that it takes is the time in which the
 * next group gathers. Reads are answered behind the writes that came before them. The answers that its store has not taken yet are bounded in
 * bytes.
 */
export class AskQueue {
  readonly #parts: AskQueueParts;
  readonly #waiting: Ask[] = [];
  readonly #mail = new GatheredMail();
  /** Place of the first that waits; those before it are answered. */
  #head = 0;
  /** Reads of the last group that are not answered, and the place of the first. */
  #reads: readonly ReadAsk[] = [];
  #nextRead = 0;
  /** Bytes of the answers since the store has taken all of them. */
  #replyBytes = 0;
  #isFull = false;

  constructor(parts: AskQueueParts) {
    this.#parts = parts;
  }

  add(asks: readonly Ask[]): void {
    for (const ask of asks) this.#waiting.push(ask.kind === "commit" ? this.#withMail(ask) : ask);
  }

  /** Takes mail of a question that comes later. */
  addMail(part: MailPart): void {
    this.#mail.add(part);
  }

  /** The store has taken the answers. */
  resume(): void {
    this.#isFull = false;
    this.#replyBytes = 0;
  }

  /** Answers everything that waits, or as much as its store takes. */
  run(): void {
    const { drain, reply } = this.#parts;
    for (drain(); !this.#isFull && this.#hasMore(); drain()) {
      const first = this.#waiting[this.#head];
      if (this.#nextRead < this.#reads.length) {
        this.#reply([]);
      } else if (first !== undefined && isControl(first)) {
        this.#head += 1;
        reply([this.#control(first)], false);
      } else {
        this.#reply(this.#write(this.#takeGroup()));
      }
      if (this.#head < this.#waiting.length / 2) continue;
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #hasMore(): boolean {
    return this.#nextRead < this.#reads.length || this.#head < this.#waiting.length;
  }

  #withMail(ask: AskOf<"commit">): AskOf<"commit"> {
    const commits = this.#mail.take(ask.id, ask.commits);
    return commits === ask.commits ? ask : { ...ask, commits };
  }

  /** Takes questions up to the bounds of a group. Its reads are answered after its writes, before all other questions. */
  #takeGroup(): readonly WriteAsk[] {
    const writes: WriteAsk[] = [];
    const reads: ReadAsk[] = [];
    let [commits, bytes] = [0, 0];
    for (; this.#head < this.#waiting.length; this.#head += 1) {
      const ask = this.#waiting[this.#head];
      if (ask === undefined || isControl(ask)) break;
      if (isWrite(ask)) {
        const size = sizeOf(ask);
        const isOver = commits + size > mostCommits || bytes + ask.bytes > mostBytes;
        if (isOver && writes.length > 0) break;
        writes.push(ask);
        commits += size;
        bytes += ask.bytes;
      } else {
        reads.push(ask);
      }
    }
    this.#reads = reads;
    this.#nextRead = 0;
    return writes;
  }

  /** Replies to writes, and to reads up to the bound of bytes. */
  #reply(written: readonly Reply[]): void {
    const replies = [...written];
    for (; this.#nextRead < this.#reads.length && this.#replyBytes < mostReplyBytes; this.#nextRead += 1) {
      const ask = this.#reads[this.#nextRead];
      if (ask !== undefined) replies.push(this.#attempt(ask.id, () => this.#read(ask)));
    }
    if (this.#nextRead === this.#reads.length) this.#reads = [];
    if (this.#reads.length === 0) this.#nextRead = 0;
    this.#isFull = this.#replyBytes >= mostReplyBytes;
    this.#parts.reply(replies, this.#isFull);
  }

  #write(asks: readonly WriteAsk[]): readonly Reply[] {
    if (asks.length === 0) return [];
    return this.#parts.database.write(asks).map((result, index) => {
      const id = asks[index]?.id ?? 0;
      return "error" in result ? this.#failed(id, result.error) : { id, value: result.value };
    });
  }

  #read(ask: ReadAsk): unknown {
    const { database } = this.#parts;
    switch (ask.kind) {
      case "load":
        return this.#counted(
          database.read((reads) => reads.load(ask.agent, ask)),
          answerBytes.load,
        );
      case "remembered":
        return this.#counted(
          database.read((reads) => reads.remembered(ask.agent, ask.messageId, ask.principal, ask.nowMs)),
          answerBytes.remembered,
        );
      case "list":
        return this.#counted(
          database.read((reads) => reads.list(ask.query)),
          answerBytes.list,
        );
      case "reminders":
        return this.#counted(
          database.read((reads) => reads.reminders(ask.agent, ask.query)),
          answerBytes.reminders,
        );
      case "due":
        return this.#counted(
          database.read((reads) => reads.due(ask.query)),
          answerBytes.reminders,
        );
      case "mail":
        return this.#counted(
          database.read((reads) => reads.mail(ask.query)),
          answerBytes.mail,
        );
      case "mailPage":
        return this.#counted(
          database.read((reads) => reads.mailPage(ask.query)),
          answerBytes.mail,
        );
      case "deadLetters":
        return this.#counted(
          database.readLog((log) => log.deadLetters(ask.query, ask.nowMs), { letters: [], isLast: true }),
          answerBytes.deadLetters,
        );
      case "readRun":
        return this.#counted(
          database.readRuns((runs) => runs.page(ask.run, ask.query, ask.nowMs), undefined),
          answerBytes.readRun,
        );
      case "listRuns":
        return this.#counted(
          database.readRuns((runs) => runs.list(ask.query, ask.nowMs), { runs: [], isLast: true }),
          answerBytes.listRuns,
        );
      case "stats":
        return this.#counted(
          database.read((reads) => reads.stats()),
          answerBytes.stats,
        );
    }
  }

  #counted<T>(answer: T, bytesOf: (answer: T) => number): T {
    this.#replyBytes += bytesOf(answer);
    return answer;
  }

  #control(ask: Control): Reply {
    const { database } = this.#parts;
    switch (ask.kind) {
      case "open":
        return this.#attempt(ask.id, () => database.open(ask));
      case "look":
        return this.#attempt(ask.id, () => database.look());
      case "close":
        return this.#attempt(ask.id, () => database.close());
    }
  }

  #attempt(id: number, answer: () => unknown): Reply {
    try {
      return { id, value: answer() };
    } catch (error) {
      return this.#failed(id, toStoreError(error, this.#parts.file));
    }
  }

  /** Makes the reply for an error, which can go to another thread. */
  #failed(id: number, { storeCode, message }: StoreError): Reply {
    this.#replyBytes += bytesOfTexts(message);
    return { id, failure: { storeCode, message } };
  }
}

function isControl(ask: Ask): ask is Control {
  return ask.kind === "open" || ask.kind === "look" || ask.kind === "close";
}

/** How many writes a question has. */
function sizeOf(ask: WriteAsk): number {
  switch (ask.kind) {
    case "commit":
      return ask.commits.length;
    case "settle":
      return ask.done.ticks.length + ask.done.mail.length;
    case "replay":
    case "drop":
      return ask.letters.length;
    case "append":
    case "bury":
      return 1;
  }
}
