import { Command, Option } from "commander";
import { loggableText, TroupeError } from "../../core/internal.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { hostColumn, sayUnanswered, subscriptionsOfWorkers } from "../admin/hosts-of-rows.ts";
import { counted, type ListFlags, type PrintFlags, print, printList, rowCount } from "../printing.ts";
import {
  type ListedSubscription,
  readSubscriptions,
  type SubscriptionFilter,
  subscriptionKinds,
} from "../subscriptions/read-subscriptions.ts";
import { formatTable } from "../table.ts";

interface RemoveFlags extends PrintFlags, HostChoice {
  readonly all: boolean;
}

interface ListSubscriptionFlags extends ListFlags, HostChoice, SubscriptionFilter {}

/** The command `troupe subscriptions`: who subscribes to what, and the end of durable subscriptions. */
export function subscriptionsCommand(): Command {
  const command = new Command("subscriptions").description(
    "List who subscribes to what, remove durable subscriptions that the host keeps",
  );
  command.addCommand(
    addHostChoice(
      new Command("list")
        .description("List subscriptions: durable ones by agent type, then those of connected workers")
        .argument("[type]", "only those of this agent type")
        .option("--topic <topic>", "only those to this topic, as the list has it: orders, audit.*")
        .option("--reached-by <topic>", "only those that an event with this topic type reaches")
        .option("--principal <name>", "only those of this principal")
        .addOption(new Option("--kind <kind>", "only these").choices([...subscriptionKinds]))
        .option("--limit <count>", "subscriptions at most; the last durable type is listed whole", rowCount, 1_000)
        .option("--after <place>", "go on where an earlier list ended")
        .option("--json", "print JSON", false),
    ).action(async (type: string | undefined, flags: ListSubscriptionFlags) => {
      const client = await findHost(flags);
      const listed = await readSubscriptions(client, { ...flags, type }, flags);
      printList(flags, listed, textOfRows);
      sayUnanswered(listed, subscriptionsOfWorkers);
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

function textOfRows(rows: readonly ListedSubscription[]): string {
  if (rows.length === 0) return "no subscriptions";
  const hosts = hostColumn(rows);
  return formatTable(
    ["type", "topic", "kind", "principal", "served", "client", ...hosts.names],
    rows.map((row) => [
      ...[row.type, row.topic, row.kind, row.principal ?? "-", row.isServed ? "yes" : "no", row.clientId ?? "-"],
      ...hosts.cellsOf(row),
    ]),
  );
}
