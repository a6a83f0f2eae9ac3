import process from "node:process";
import { Command, InvalidArgumentError } from "commander";
import { type DeadDetail, type DeadRow, isLetter, lettersAtOnce, nameOf } from "../../admin/internal.ts";
import { type AgentName, TroupeError } from "../../core/internal.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import {
  formatText,
  type ListFlags,
  type PrintFlags,
  parseAgent,
  print,
  printList,
  readList,
  rowCount,
} from "../printing.ts";
import { progressOn } from "../progress.ts";
import { formatTable } from "../table.ts";

interface SettleFlags extends PrintFlags, HostChoice {
  readonly all: boolean;
  readonly agent?: AgentName;
}

/** The command `troupe dead`: told messages that could not be delivered. */
export function deadCommand(): Command {
  const command = new Command("dead").description(
    "Look at told messages that could not be delivered, send them again, drop them",
  );
  command.addCommand(
    addHostChoice(
      new Command("list")
        .description("List dead letters, the oldest first")
        .argument("[agent]", "only those for this agent: type/key", parseAgent)
        .option("--limit <count>", "letters at most", rowCount, 1_000)
        .option("--after <place>", "go on where an earlier list ended")
        .option("--json", "print JSON", false),
    ).action(async (agent: AgentName | undefined, flags: ListFlags & HostChoice) => {
      const client = await findHost(flags);
      const listed = await readList<DeadRow, Forgotten>(client, "/v1/dead", { ...agent }, flags);
      printList(flags, listed, textOfLetters);
      sayForgotten(listed);
    }),
  );
  command.addCommand(
    addHostChoice(
      new Command("show")
        .description("Show a dead letter with its message")
        .argument("<letter>", "its number", parseLetter)
        .option("--json", "print JSON", false),
    ).action(async (letter: string, flags: PrintFlags & HostChoice) => {
      const client = await findHost(flags);
      print(flags, await client.ask<DeadDetail>("GET", "/v1/dead/letter", { letter }), textOfLetter);
    }),
  );
  command.addCommand(
    settling(
      new Command("replay").description("Put dead letters into their mailboxes again, as new messages"),
      "replayed",
      (client, letter) => client.ask("POST", "/v1/dead/replay", { letter }),
    ),
  );
  command.addCommand(
    settling(new Command("drop").description("Delete dead letters"), "dropped", (client, letter) =>
      client.ask("DELETE", "/v1/dead", { letter }),
    ),
  );
  return command;
}

interface Forgotten {
  readonly forgottenLetters: number;
}

function sayForgotten({ forgottenLetters: count }: Forgotten): void {
  if (!(count > 0)) return;
  const letters = count === 1 ? "1 dead letter" : `${count} dead letters`;
  const text = `Since its start the host has forgotten ${letters}: all had too many bytes. Replay or drop what you need no more.`;
  process.stderr.write(`${text}\n`);
}

type Settle = (
  client: AdminClient,
  letters: readonly string[],
) => Promise<Partial<Record<"replayed" | "dropped", number>>>;

function settling(command: Command, done: "replayed" | "dropped", settle: Settle): Command {
  return addHostChoice(
    command
      .argument(
        "[letters...]",
        "their numbers",
        (text, before: readonly string[]) => [...before, parseLetter(text)],
        [],
      )
      .option("--all", "all that are there now", false)
      .option("--agent <agent>", "with --all: only those for this agent, type/key", parseAgent)
      .option("--json", "print JSON", false),
  ).action(async (letters: readonly string[], flags: SettleFlags) => {
    if (flags.all === letters.length > 0) {
      throw new TroupeError("invalid-argument", "Name the letters by their numbers, or write --all.");
    }
    const client = await findHost(flags);
    const counts = { asked: 0, [done]: 0 };
    const progress = progressOn();
    try {
      for await (const part of flags.all ? allLetters(client, flags.agent) : parts(letters)) {
        counts[done] = (counts[done] ?? 0) + ((await settle(client, part))[done] ?? 0);
        counts.asked += part.length;
        progress.say(`${done} ${counts[done]} of ${counts.asked} …`);
      }
    } finally {
      progress.done();
    }
    if ((counts[done] ?? 0) < counts.asked) process.exitCode = 1;
    print(flags, counts, () => `${done} ${counts[done]} of ${counts.asked}${adviceOn(counts, done)}`);
  });
}

function parseLetter(text: string): string {
  if (isLetter(text)) return text;
  throw new InvalidArgumentError("Not the number of a dead letter. See troupe dead list.");
}

function adviceOn(counts: Readonly<Record<string, number>>, done: "replayed" | "dropped"): string {
  if (counts[done] === counts.asked) return "";
  const hasSome = (counts[done] ?? 0) > 0;
  const gone = hasSome
    ? "the others are gone"
    : counts.asked === 1
      ? "there is no such letter"
      : "there are no such letters";
  if (done === "dropped") return `; ${gone}. See troupe dead list.`;
  return `; ${gone}, or ${!hasSome && counts.asked === 1 ? "its" : "their"} mailbox is full. See troupe dead list.`;
}

function* parts(letters: readonly string[]): Iterable<readonly string[]> {
  for (let from = 0; from < letters.length; from += lettersAtOnce) yield letters.slice(from, from + lettersAtOnce);
}

/** Those that died before now: one that dies again meanwhile is not taken a second time. */
async function* allLetters(client: AdminClient, agent: AgentName | undefined): AsyncIterable<readonly string[]> {
  const until = new Date().toISOString();
  let after: string | undefined;
  do {
    const page = await readList<DeadRow>(
      client,
      "/v1/dead",
      { ...agent },
      { limit: lettersAtOnce, ...(after && { after }) },
    );
    const old = page.rows.filter(({ diedAt }) => diedAt < until);
    if (old.length > 0) yield old.map(({ letter }) => letter);
    if (old.length < page.rows.length || page.next === null) return;
    after = page.next;
  } while (after !== undefined);
}

function textOfLetters(rows: readonly DeadRow[]): string {
  if (rows.length === 0) return "no dead letters";
  return formatTable(
    ["letter", "for", "message", "why", "attempts", "bytes", "died"],
    rows.map((row) => [row.letter, nameOf(row), row.messageType, row.code, row.attempts, row.bytes, row.diedAt]),
  );
}

function textOfLetter(detail: DeadDetail): string {
  const { reason, message, sentAt } = detail;
  const head = `${textOfLetters([detail])}\n${formatText(reason)}\nsent ${sentAt}`;
  if (message === null) return head;
  const from = message.sender === null ? "" : ` by ${nameOf(message.sender)}`;
  const cut = message.isCut ? "\n(cut: the message is longer)" : "";
  const on = message.topic === null ? "" : ` on the topic ${formatText(message.topic)}`;
  return `${head}${from}${on}, ${formatText(message.contentType)}\n${formatText(message.text ?? message.base64 ?? "")}${cut}`;
}
