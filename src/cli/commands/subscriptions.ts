import { Command } from "commander";
import type { SubscriptionRow } from "../../admin/internal.ts";
import { loggableText, TroupeError } from "../../core/internal.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { counted, type ListFlags, type PrintFlags, print, printList, readList, rowCount } from "../printing.ts";
import { formatTable } from "../table.ts";

interface RemoveFlags extends PrintFlags, HostChoice {
  readonly all: boolean;
}

/** The command `troupe subscriptions`: the durable subscriptions that a host keeps, and their end. */
export function subscriptionsCommand(): Command {
  const command = new Command("subscriptions").description(
    "List durable subscriptions that the host keeps, remove them",
  );
  command.addCommand(
    addHostChoice(
      new Command("list")
        .description("List durable subscriptions by agent type")
        .argument("[type]", "only those of this agent type")
        .option("--limit <count>", "subscriptions at most; the last type is listed whole", rowCount, 1_000)
        .option("--after <place>", "go on where an earlier list ended")
        .option("--json", "print JSON", false),
    ).action(async (type: string | undefined, flags: ListFlags & HostChoice) => {
      const client = await findHost(flags);
      printList(flags, await readList<SubscriptionRow>(client, "/v1/subscriptions", { type }, flags), textOfRows);
    }),
  );
  command.addCommand(
    addHostChoice(
      new Command("remove")
        .description("Remove a durable subscription: the host keeps no more events for it")
        .argument("<type>", "agent type")
        .argument("[topic]", "its topic, as the list has it")
        .option("--all", "all subscriptions of the type", false)
        .option("--json", "print JSON", false),
    ).action(async (type: string, topic: string | undefined, flags: RemoveFlags) => {
      if (flags.all === (topic !== undefined)) {
        throw new TroupeError("invalid-argument", "Name the topic as the list has it, or write --all.");
      }
      const client = await findHost(flags);
      const done = await client.ask<{ readonly removed: number }>("DELETE", "/v1/subscriptions", { type, topic });
      print(flags, done, ({ removed }) => `removed ${counted(removed, "subscription")} of ${loggableText(type)}`);
    }),
  );
  return command;
}

function textOfRows(rows: readonly SubscriptionRow[]): string {
  if (rows.length === 0) return "no durable subscriptions";
  return formatTable(
    ["type", "topic", "principal", "served"],
    rows.map(({ type, topic, principal, isServed }) => [type, topic, principal ?? "-", isServed ? "yes" : "no"]),
  );
}
