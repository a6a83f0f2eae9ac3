import type { StoreError } from "../../core/internal.ts";
import { type Ask, type AskOf, isWrite, type Reply, type WriteAsk } from "./asks.ts";
import { GatheredMail, type MailPart } from "./mail-parts.ts";
import { toStoreError } from "./sqlite-error.ts";
import type { StateDatabase } from "./state-database.ts";

/** Commits and bytes of one transaction. One call of `commit` is never divided. */
const mostCommits = 256;
const mostBytes = 4 * 1024 * 1024;

type Control = AskOf<"open"> | AskOf<"look"> | AskOf<"close">;
type ReadAsk = Exclude<Ask, Control | WriteAsk>;

/** The parts of an `AskQueue`. */
export interface AskQueueParts {
  readonly database: StateDatabase;
  readonly file: string;
  /** Takes replies, a group's at a time. */
  readonly reply: (replies: readonly Reply[]) => void;
  /** Adds what has come meanwhile. It is called before each group. */
  readonly drain: () => void;
}

/**
 * Questions that wait for a database. Writes that wait together are one transaction; the time that it takes is the time in which the
 * next group gathers. Reads are answered behind the writes that came before them.
 */
export class AskQueue {
  readonly #parts: AskQueueParts;
  readonly #waiting: Ask[] = [];
  readonly #mail = new GatheredMail();
  /** Place of the first that waits; those before it are answered. */
  #head = 0;

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

  /** Answers everything that waits. */
  run(): void {
    const { drain, reply } = this.#parts;
    for (drain(); this.#head < this.#waiting.length; drain()) {
      const first = this.#waiting[this.#head];
      if (first !== undefined && isControl(first)) {
        this.#head += 1;
        reply([this.#control(first)]);
      } else {
        reply(this.#answerGroup());
      }
      if (this.#head < this.#waiting.length / 2) continue;
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #withMail(ask: AskOf<"commit">): AskOf<"commit"> {
    const commits = this.#mail.take(ask.id, ask.commits);
    return commits === ask.commits ? ask : { ...ask, commits };
  }

  /** Answers questions up to the bounds of a group. */
  #answerGroup(): readonly Reply[] {
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
    return [...this.#write(writes), ...reads.map((ask) => this.#attempt(ask.id, () => this.#read(ask)))];
  }

  #write(asks: readonly WriteAsk[]): readonly Reply[] {
    if (asks.length === 0) return [];
    return this.#parts.database.write(asks).map((result, index) => {
      const id = asks[index]?.id ?? 0;
      return "error" in result ? failed(id, result.error) : { id, value: result.value };
    });
  }

  #read(ask: ReadAsk): unknown {
    const { database } = this.#parts;
    switch (ask.kind) {
      case "load":
        return database.read((reads) => reads.load(ask.agent, ask));
      case "remembered":
        return database.read((reads) => reads.remembered(ask.agent, ask.messageId, ask.principal, ask.nowMs));
      case "list":
        return database.read((reads) => reads.list(ask.query));
      case "reminders":
        return database.read((reads) => reads.reminders(ask.agent, ask.query));
      case "due":
        return database.read((reads) => reads.due(ask.query));
      case "mail":
        return database.read((reads) => reads.mail(ask.query));
      case "mailPage":
        return database.read((reads) => reads.mailPage(ask.query));
      case "deadLetters":
        return database.readLog((log) => log.deadLetters(ask.query, ask.nowMs), { letters: [], isLast: true });
      case "stats":
        return database.read((reads) => reads.stats());
    }
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
      return failed(id, toStoreError(error, this.#parts.file));
    }
  }
}

/** Makes the reply for an error, which can go to another thread. */
export function failed(id: number, { storeCode, message }: StoreError): Reply {
  return { id, failure: { storeCode, message } };
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
