import {
  type DeadPage,
  type DeadQuery,
  type MailPageQuery,
  type StoredMail,
  storeLimits,
} from "../../core/internal.ts";
import { numberIn } from "../rows.ts";
import { idOfAgent } from "./agent-id.ts";
import { toWhole } from "./encode-writes.ts";
import { pageText } from "./page-text.ts";
import { hex, letterIn, mailColumns, mailIn, type Read } from "./table-reads.ts";

/** Bytes of a page of dead letters. A longer one is a page of its own. */
const mostLetterBytes = 4 * 1024 * 1024;

/** Reads the tables of the log: mail by place, and dead letters. */
export class LogReads {
  readonly #schema: string;

  constructor(quotedSchema: string) {
    this.#schema = quotedSchema;
  }

  mailPage({ mailbox, after, limit, maxBytes }: MailPageQuery): Read<readonly StoredMail[]> {
    const rows = `select * from ${this.#schema}.mail where place > $1${mailbox === undefined ? "" : " and receiver = decode($4, 'hex')"}`;
    return {
      statement: {
        text: pageText({ columns: mailColumns, rows, by: "place", bytes: "frame", limit: "$2", maxBytes: "$3" }),
        values: [
          toWhole(after),
          toWhole(limit),
          toWhole(maxBytes),
          ...(mailbox === undefined ? [] : [idOfAgent(mailbox)]),
        ],
      },
      read: (found) => found.map(mailIn),
    };
  }

  deadLetters(
    { mailbox, after = "", letter, limit, maxBytes = mostLetterBytes }: DeadQuery,
    nowMs: number,
  ): Read<DeadPage> {
    const columns = `letter, ${hex("type", "key", "id", "reason", "frame")}, kind, sent_at, place, code, attempts, died_at, found`;
    const diedAfterMs = toWhole(nowMs - storeLimits.deadLetterMs);
    const pageBytes = toWhole(Math.min(maxBytes, mostLetterBytes));
    const values = [isLetter(after) ? after : "0", toWhole(limit) + 1, pageBytes, diedAfterMs];
    let rows = `select * from ${this.#schema}.dead where letter > $1 and died_at > $4`;
    if (mailbox !== undefined) rows += ` and receiver = decode($${values.push(idOfAgent(mailbox))}, 'hex')`;
    if (letter !== undefined) rows += ` and letter = $${values.push(isLetter(letter) ? letter : "0")}`;
    return {
      statement: {
        text: pageText({ columns, rows, by: "letter", bytes: "frame", limit: "$2", maxBytes: "$3" }),
        values,
      },
      read: (page) => {
        const letters = page.slice(0, limit).map(letterIn);
        const [first] = page;
        return { letters, isLast: first === undefined || numberIn(first, "found") === letters.length };
      },
    };
  }
}

/** Whether a text may name a dead letter. */
export function isLetter(letter: string): boolean {
  return /^[0-9]{1,15}$/.test(letter);
}
