import { Command } from "commander";
import { nameOf, type ReminderRow } from "../../admin/internal.ts";
import type { AgentName } from "../../core/internal.ts";
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
import { formatTable } from "../table.ts";

/** Reminders that are listed by default, and those that a host gives in a page: it reads them with their messages. */
const [usualCount, pageRows] = [100, 100];

/** The command `troupe reminders`: what is due, and its end. */
export function remindersCommand(): Command {
  const command = new Command("reminders").description("List reminders of agents, and cancel one");
  command.addCommand(
    addHostChoice(
      new Command("list")
        .description("List the reminders of an agent by name, or those of all agents that are due next")
        .argument("[agent]", "type/key", parseAgent)
        .option("--limit <count>", "reminders at most", rowCount, usualCount)
        .option("--after <place>", "go on where an earlier list ended")
        .option("--json", "print JSON", false),
    ).action(async (agent: AgentName | undefined, flags: ListFlags & HostChoice) => {
      const client = await findHost(flags);
      const listed = await readList<ReminderRow>(client, "/v1/reminders", { ...agent }, flags, { most: pageRows });
      printList(flags, listed, textOfReminders);
    }),
  );
  command.addCommand(
    addHostChoice(
      new Command("cancel")
        .description("Cancel a reminder of an agent")
        .argument("<agent>", "type/key", parseAgent)
        .argument("<name>", "name of the reminder")
        .option("--json", "print JSON", false),
    ).action(async (agent: AgentName, name: string, flags: PrintFlags & HostChoice) => {
      const client = await findHost(flags);
      const cancelled = await client.ask("DELETE", "/v1/reminder", { ...agent, name });
      print(flags, cancelled, () => `cancelled the reminder ${formatText(name)} of ${nameOf(agent)}`);
    }),
  );
  return command;
}

function textOfReminders(rows: readonly ReminderRow[]): string {
  if (rows.length === 0) return "no reminders";
  return formatTable(
    ["type", "key", "name", "due", "message", "attempts"],
    rows.map((row) => [row.type, row.key, row.name, row.dueAt, row.messageType, row.attempts]),
  );
}
