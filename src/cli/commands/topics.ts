import process from "node:process";
import { Command } from "commander";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { sayUnanswered, subscriptionsOfWorkers } from "../admin/hosts-of-rows.ts";
import { type PrintFlags, print, rowCount } from "../printing.ts";
import { readSubscriptions } from "../subscriptions/read-subscriptions.ts";
import { countTopics, type TopicCount } from "../subscriptions/topic-counts.ts";
import { formatTable } from "../table.ts";

interface TopicsFlags extends PrintFlags, HostChoice {
  readonly type?: string;
  readonly principal?: string;
  readonly limit: number;
}

/** Agent types of a topic that a table shows. */
const shownTypes = 5;

/** The command `troupe topics`. */
export function topicsCommand(): Command {
  return addHostChoice(
    new Command("topics")
      .description("List topics with their subscribers; with a topic, who gets an event of it")
      .argument("[topic]", "the topic type of an event: only subscriptions that it reaches")
      .option("--type <type>", "only subscriptions of this agent type")
      .option("--principal <name>", "only subscriptions of this principal")
      .option("--limit <count>", "subscriptions that are counted at most", rowCount, 100_000)
      .option("--json", "print JSON", false),
  ).action(async (topic: string | undefined, flags: TopicsFlags) => {
    const client = await findHost(flags);
    const { type, principal, limit } = flags;
    const asked = { reachedBy: topic, type, principal };
    const { rows, next, unanswered } = await readSubscriptions(client, asked, { limit });
    print(flags, { rows: countTopics(rows), isCut: next !== null, unanswered }, (counts) => textOfTopics(counts.rows));
    if (next !== null)
      process.stderr.write(`Only the first ${limit} subscriptions are counted: raise --limit, or name a topic.\n`);
    sayUnanswered({ unanswered }, subscriptionsOfWorkers);
  });
}

function textOfTopics(rows: readonly TopicCount[]): string {
  if (rows.length === 0) return "no subscriptions";
  return formatTable(
    ["topic", "clients", "durable", "types"],
    rows.map(({ topic, durable, clients, types, unserved }) => {
      const shown = types.slice(0, shownTypes).map((type) => (unserved.includes(type) ? `${type} (no worker)` : type));
      const more = types.length > shownTypes ? ` and ${types.length - shownTypes} more` : "";
      return [topic, clients, durable, `${shown.join(",")}${more}`];
    }),
  );
}
