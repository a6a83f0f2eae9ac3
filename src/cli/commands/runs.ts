import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { type CancelledRun, nameOf, type RunDetail, type RunRow, type RunText } from "../../admin/internal.ts";
import type { AgentName } from "../../core/internal.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import {
  formatJsonLine,
  formatText,
  type ListFlags,
  type PrintFlags,
  parseAgent,
  print,
  printList,
  readList,
  rowCount,
} from "../printing.ts";
import { formatTable } from "../table.ts";
import { wholeNumber } from "../whole-number.ts";

interface RunListFlags extends ListFlags, HostChoice {
  readonly status?: string;
  readonly owner?: string;
}

interface ShowFlags extends PrintFlags, HostChoice {
  readonly from: number;
  readonly follow: boolean;
}

interface CancelFlags extends PrintFlags, HostChoice {
  readonly reason?: string;
}

/** Milliseconds between two questions for a run that works. */
const followMs = 500;
/** As a parameter holds it. */
const longestReason = 1_000;

/** The command `troupe runs`: the runs that a host keeps, what one has yielded, and its end. */
export function runsCommand(): Command {
  const command = new Command("runs").description("List the runs that a host keeps, show one, and cancel one");
  command.addCommand(
    addHostChoice(
      new Command("list")
        .description("List the runs of persistent agents, by agent and id")
        .argument("[agent]", "a type, or type/key for one agent", typeOrAgent)
        .addOption(
          new Option("--status <status>", "only these").choices(["working", "completed", "failed", "cancelled"]),
        )
        .option("--owner <text>", "only those that were started with this owner")
        .option("--limit <count>", "runs at most", rowCount, 1_000)
        .option("--after <place>", "go on where an earlier list ended")
        .option("--json", "print JSON", false),
    ).action(async (agent: Partial<AgentName> | undefined, flags: RunListFlags) => {
      const client = await findHost(flags);
      const { status, owner } = flags;
      printList(flags, await readList<RunRow>(client, "/v1/runs", { ...agent, status, owner }, flags), textOfRuns);
    }),
  );
  command.addCommand(
    addHostChoice(
      new Command("show")
        .description("Show a run with its message, its chunks and its outcome")
        .argument("<agent>", "type/key", parseAgent)
        .argument("<id>", "id of the run")
        .option("--from <offset>", "offset of the first chunk to show", wholeNumber(0), 0)
        .option("--follow", "print each chunk when it is written, until the run ends", false)
        .option("--json", "print JSON; with --follow one line for each chunk and one for the outcome", false),
    ).action(async (agent: AgentName, id: string, flags: ShowFlags) => {
      const client = await findHost(flags);
      if (flags.follow) return follow(client, agent, id, flags);
      let shown: RunDetail | undefined;
      for await (const page of pagesOf(client, agent, id, flags.from)) {
        shown = {
          ...page,
          message: shown?.message ?? page.message,
          chunks: [...(shown?.chunks ?? []), ...page.chunks],
        };
        if (page.from >= page.next) break;
      }
      if (shown !== undefined) print(flags, shown, textOfRun);
    }),
  );
  command.addCommand(
    addHostChoice(
      new Command("cancel")
        .description("Cancel a run that works; its handler hears of it with its next chunk, or within 15 s")
        .argument("<agent>", "type/key", parseAgent)
        .argument("<id>", "id of the run")
        .option("--reason <text>", "the reason, which readers of the run get", shortReason)
        .option("--json", "print JSON", false),
    ).action(async (agent: AgentName, id: string, flags: CancelFlags) => {
      const client = await findHost(flags);
      const asked = { ...agent, id, reason: flags.reason };
      const done = await client.ask<CancelledRun>("POST", "/v1/run/cancel", asked);
      print(flags, done, ({ isCancelled, status }) => {
        const name = `the run ${formatText(id)} of ${nameOf(agent)}`;
        return isCancelled ? `cancelled ${name}` : `${name} had ended before: ${status}`;
      });
    }),
  );
  return command;
}

/** Reads `type` or `type/key`. */
function typeOrAgent(text: string): Partial<AgentName> {
  return text.includes("/") ? parseAgent(text) : { type: text };
}

function shortReason(text: string): string {
  if (text.length <= longestReason) return text;
  throw new InvalidArgumentError(`A reason has at most ${longestReason} characters.`);
}

/** Reads a run page after page, until its reader stops. */
async function* pagesOf(client: AdminClient, agent: AgentName, id: string, start: number): AsyncGenerator<RunDetail> {
  for (let [from, message]: [number, string | undefined] = [start, undefined]; ; message = "none") {
    const page = await client.ask<RunDetail>("GET", "/v1/run", { ...agent, id, from, message });
    yield page;
    // Behind the last chunk the host may answer with a lower offset.
    from = Math.max(from, page.from);
  }
}

/** Prints what the run yields, until it ends. */
async function follow(client: AdminClient, agent: AgentName, id: string, { from, json }: ShowFlags): Promise<void> {
  const say = (value: unknown, text: string) => process.stdout.write(`${json ? formatJsonLine(value) : text}\n`);
  let isFirst = true;
  for await (const page of pagesOf(client, agent, id, from)) {
    if (isFirst && !json) process.stdout.write(`${headOf(page)}\n`);
    isFirst = false;
    for (const chunk of page.chunks) say(chunk, textOfChunk(chunk));
    if (page.from < page.next) continue;
    const { status, answer, error } = page;
    if (status !== "working") {
      say({ status, answer, error }, endOf(page));
      return;
    }
    await pause(followMs);
  }
}

function textOfRuns(rows: readonly RunRow[]): string {
  if (rows.length === 0) return "no kept runs";
  return formatTable(
    ["type", "key", "id", "status", "owner", "principal", "chunks", "bytes", "started", "updated"],
    rows.map((row) => [
      ...[row.type, row.key, row.id, row.status, row.owner === "" ? "-" : row.owner, row.principal ?? "-"],
      ...[row.next, row.bytes, row.startedAt, row.updatedAt],
    ]),
  );
}

function textOfRun(run: RunDetail): string {
  return [headOf(run), ...run.chunks.map(textOfChunk), endOf(run)].join("\n");
}

function headOf(run: RunDetail): string {
  const { first, next, takeovers, message } = run;
  const dropped = first === 0 ? "" : `, of which the first ${first} are not kept any more`;
  const counts = `${next} chunks${dropped}; ${takeovers} workers since a step was saved`;
  return `${textOfRuns([run])}\n${counts}\nmessage  ${textOfMessage(message)}`;
}

function textOfChunk({ offset, message }: RunDetail["chunks"][number]): string {
  return `${offset}  ${textOfMessage(message)}`;
}

function endOf({ status, answer, error }: RunDetail): string {
  if (status === "working") return "it works";
  if (error !== null) return formatText(`${status}  ${error.text} (${error.code})`);
  return `answer  ${textOfMessage(answer)}`;
}

function textOfMessage(message: RunText | null): string {
  if (message === null) return "(it can't be read)";
  return formatText(`${message.messageType} ${message.text}${message.isCut ? " … (cut)" : ""}`);
}
