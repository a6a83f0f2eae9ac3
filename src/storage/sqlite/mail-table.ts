import {
  type AgentName,
  type DurableMessage,
  type MailBounds,
  type MailTable,
  mailboxTooSmall,
  type Settlements,
  StoreError,
} from "../../core/internal.ts";
import { bytesOfName, bytesOfTexts, entryBytes } from "../waiting-bytes.ts";
import { copyOfKept, copyOfMessage, copyOfName, copyOfReason } from "./ask-copies.ts";
import { type Answers, type Kind, type Questions, smallAskBytes } from "./asks.ts";

/** The parts of the table of mail. */
export interface MailTableParts {
  readonly nowMs: () => number;
  readonly bounds: MailBounds;
  /** Asks the database. `question` is called at once. `bytes`: about how many wait. */
  readonly ask: <K extends Kind>(kind: K, question: () => Questions[K], bytes: number) => Promise<Answers[K]>;
  readonly settle: (done: Settlements) => Promise<void>;
  /** Has the readers read what a write may have left. */
  readonly wakeAfter: <T>(written: Promise<T>) => Promise<T>;
}

/** Creates the tables of a log, which ask the same database as their store. */
export function createMailTable({ nowMs, bounds, ask, settle, wakeAfter }: MailTableParts): MailTable {
  return {
    readMail: ({ mailbox, ...query }) => {
      const question = () => ({ query: { ...query, mailbox: mailbox && copyOfName(mailbox) } });
      return ask("mailPage", question, smallAskBytes + bytesOfName(mailbox));
    },
    append: (mailbox, message) => {
      const tooLong = mailboxTooSmall(message.frame.length, bounds);
      if (tooLong !== undefined) return Promise.reject(tooLongError(tooLong));
      const question = () => ({ mailbox: copyOfName(mailbox), message: copyOfMessage(message), nowMs: nowMs() });
      return wakeAfter(ask("append", question, sizeOf(mailbox, message)));
    },
    dropMail: (place) => settle({ ticks: [], mail: [{ place, nextMs: undefined, attempts: 0 }] }),
    bury: (message, why) => {
      const question = () => ({ message: copyOfKept(message), why: copyOfReason(why), nowMs: nowMs() });
      return ask("bury", question, sizeOf(message.mailbox, message) + bytesOfTexts(why.text));
    },
    deadLetters: ({ mailbox, ...query }) => {
      const question = () => ({ query: { ...query, mailbox: mailbox && copyOfName(mailbox) }, nowMs: nowMs() });
      const bytes = smallAskBytes + bytesOfName(mailbox) + bytesOfTexts(query.after, query.letter);
      return ask("deadLetters", question, bytes);
    },
    replay: (letters) => {
      const question = () => ({ letters: [...letters], nowMs: nowMs() });
      return wakeAfter(ask("replay", question, sizeOfLetters(letters)));
    },
    drop: (letters) => ask("drop", () => ({ letters: [...letters] }), sizeOfLetters(letters)),
  };
}

function sizeOf(mailbox: AgentName, { id, frame }: DurableMessage): number {
  return smallAskBytes * 3 + bytesOfName(mailbox) + bytesOfTexts(id) + frame.length;
}

function sizeOfLetters(letters: readonly string[]): number {
  return letters.reduce((sum, letter) => sum + entryBytes + bytesOfTexts(letter), smallAskBytes);
}

function tooLongError(limit: string): StoreError {
  return new StoreError("too-large", `The message is over the limit of ${limit}.`);
}
