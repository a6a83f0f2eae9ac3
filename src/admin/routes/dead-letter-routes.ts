import { type DeadLetter, type DurableLog, loggableText, TroupeError } from "../../core/internal.ts";
import { HttpProblem, type RequestQuery } from "../../http/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { agentParameters, optionalAgentOf } from "../agent-names.ts";
import { messageTypeOf, type ShownMessage, shownMessage } from "../kept-frames.ts";
import { cursorOf, formatCursor, limitOf, pageParameters } from "../pages.ts";
import type { PayloadAudit } from "../payload-audit.ts";

/** Bytes of messages that the store reads for one page. */
const pageBytes = 4 * 1024 * 1024;
/** Letters of one request that replays or drops them. */
export const lettersAtOnce = 100;

/** Whether a text may be the number of a dead letter. */
export function isLetter(text: string): boolean {
  return /^[1-9]\d{0,14}$/.test(text);
}

/** A dead letter in a list. */
export interface DeadRow {
  readonly letter: string;
  readonly type: string;
  readonly key: string;
  readonly messageType: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly bytes: number;
  readonly sentAt: string;
  readonly diedAt: string;
}

/** A dead letter with its message. */
export interface DeadDetail extends DeadRow {
  /** The id of the message, under which its agent remembers it. */
  readonly id: string;
  /** Null: the message can't be read. */
  readonly message: ShownMessage | null;
}

export function deadLetterRoutes(host: AdminHost, audit: PayloadAudit): readonly AdminRoute[] {
  const log = (): DurableLog => logOf(host);
  return [
    {
      ...{ method: "GET", path: "/v1/dead", parameters: [...agentParameters, ...pageParameters], need: "rows" },
      handle: async ({ query }) => {
        const after = cursorOf(query, (value) => typeof value === "string");
        const mailbox = optionalAgentOf(query);
        const page = await log().deadLetters({ mailbox, after, limit: limitOf(query), maxBytes: pageBytes });
        const last = page.letters.at(-1)?.letter;
        const next = page.isLast || last === undefined ? null : formatCursor(last);
        return { rows: page.letters.map(rowOf), next, forgottenLetters: host.forgottenLetters };
      },
    },
    {
      ...{ method: "GET", path: "/v1/dead/letter", parameters: ["letter"], need: "nothing" },
      handle: async ({ query, rights }): Promise<DeadDetail> => {
        const [number] = numbersIn([query.required("letter")]);
        const [letter] = (await log().deadLetters({ letter: number, limit: 1 })).letters;
        if (letter === undefined || !rights.may("see", letter.mailbox.type))
          throw new TroupeError("not-found", "There is no such dead letter. See troupe dead list.");
        // It shows the message, which may hold what the agent keeps.
        rights.assertMay("read-state", letter.mailbox.type);
        audit.note(rights, "dead letters");
        return { ...rowOf(letter), id: letter.id, message: shownMessage(letter.frame) };
      },
    },
    {
      ...{ method: "POST", path: "/v1/dead/replay", parameters: ["letter"], need: "administer-all" },
      handle: async ({ query }) => {
        const letters = lettersOf(query);
        await host.openStore();
        return { asked: letters.length, replayed: await log().replay(letters) };
      },
    },
    {
      ...{ method: "DELETE", path: "/v1/dead", parameters: ["letter"], need: "administer-all" },
      handle: async ({ query }) => {
        const letters = lettersOf(query);
        await host.openStore();
        return { asked: letters.length, dropped: await log().drop(letters) };
      },
    },
  ];
}

function logOf({ log }: AdminHost): DurableLog {
  if (log !== undefined) return log;
  const text =
    "The state store of this host has no mailboxes, so that there are no dead letters. SQLite and memory have them, and the mail of a cluster in NATS.";
  throw new TroupeError("wrong-state", text);
}

function lettersOf(query: RequestQuery): readonly string[] {
  const letters = [...new Set(query.all("letter"))];
  if (letters.length > 0 && letters.length <= lettersAtOnce) return numbersIn(letters);
  throw new HttpProblem(400, "invalid-argument", `Name 1 to ${lettersAtOnce} letters.`);
}

function numbersIn(letters: readonly string[]): readonly string[] {
  const wrong = letters.find((letter) => !isLetter(letter));
  if (wrong === undefined) return letters;
  const text = `"${loggableText(wrong)}" is not the number of a dead letter. See troupe dead list.`;
  throw new HttpProblem(400, "invalid-argument", text);
}

function rowOf({ letter, mailbox, frame, why, sentAtMs, diedAtMs }: DeadLetter): DeadRow {
  const [sentAt, diedAt] = [new Date(sentAtMs).toISOString(), new Date(diedAtMs).toISOString()];
  const messageType = messageTypeOf(frame);
  const { code, text: reason, attempts } = why;
  return {
    ...{ letter, type: mailbox.type, key: mailbox.key, messageType, code, reason, attempts },
    ...{ bytes: frame.length, sentAt, diedAt },
  };
}
