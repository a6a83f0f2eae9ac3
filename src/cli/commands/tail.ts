import { once } from "node:events";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { feedKinds } from "../../admin/internal.ts";
import { loggableText } from "../../core/internal.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { coloursOf } from "../colours.ts";
import type { PrintFlags } from "../printing.ts";
import { followFeed } from "../tail/follow-feed.ts";
import { jsonOfTold, textOfTold } from "../tail/told-text.ts";
import { wholeNumber } from "../whole-number.ts";

interface TailFlags extends PrintFlags, HostChoice {
  readonly host?: string;
  readonly agent?: { readonly type: string; readonly key?: string };
  readonly topic?: string;
  readonly kind?: string;
  readonly outcome?: string;
  readonly count?: number;
}

/** Hooks of a command that follows the feed. */
export interface TailParts {
  /** Called each time that the feed is open. */
  readonly onOpen?: (() => void) | undefined;
}

const examples = `
Examples:
  troupe tail --kind call --outcome failed
  troupe tail --agent writer/7 --json | jq .ms
  troupe tail --count 1 --kind session --outcome opened   # waits for the next worker`;

/** The command `troupe tail`: what happens at hosts, until a process signal or the end of its reader. */
export function tailCommand({ onOpen }: TailParts = {}): Command {
  return addHostChoice(
    new Command("tail")
      .description(
        "Show calls, events and all else that happens, live, in a cluster of every host; it never shows what messages contain",
      )
      .option("--host <id|name>", "only what happens at this host of the cluster")
      .option("--agent <agent>", "only what is about this agent type, or about type/key", agentOrType)
      .option("--topic <type>", "only events of this topic type")
      .addOption(new Option("--kind <kind>", "only things of this kind").choices([...feedKinds]))
      .option("--outcome <word>", "only things with this outcome, such as answered, failed, delivered, missed, opened")
      .option("--count <count>", "end after so many", wholeNumber(1))
      .option("--json", "print each as one line of JSON", false),
  )
    .addHelpText("after", examples)
    .action(async (flags: TailFlags) => {
      const ending = new AbortController();
      const end = (): void => ending.abort();
      const signals = ["SIGINT", "SIGTERM"] as const;
      for (const signal of signals) process.once(signal, end);
      // A reader such as head has gone.
      process.stdout.once("error", end);
      try {
        await follow(flags, ending.signal, onOpen);
      } finally {
        for (const signal of signals) process.off(signal, end);
        process.stdout.off("error", end);
      }
    });
}

async function follow(flags: TailFlags, signal: AbortSignal, onOpen: TailParts["onOpen"]): Promise<void> {
  const { agent, topic, kind, outcome, count = Number.POSITIVE_INFINITY } = flags;
  const colours = coloursOf();
  let isCut = false;
  let left = count;
  const told = followFeed({
    ...{
      find: () => findHost(flags),
      filter: { type: agent?.type, key: agent?.key, topic, kind, outcome, host: flags.host },
      signal,
    },
    wait: (ms) => delay(ms, undefined, { signal }),
    onOpen: () => {
      if (isCut) process.stderr.write("The host is back.\n");
      isCut = false;
      onOpen?.();
    },
    onCut: (why) => {
      // One line for an absence, however many attempts it takes.
      if (!isCut) process.stderr.write(`The feed is cut: ${loggableText(why)}. Trying again until the host is back.\n`);
      isCut = true;
    },
  });
  for await (const one of told) {
    if (one.at === "unanswered") {
      const host = loggableText(one.name || one.hostId);
      process.stderr.write(
        `The host ${host} does not answer, and what happens there is missing: ${loggableText(one.problem)}\n`,
      );
      continue;
    }
    const line = flags.json ? jsonOfTold(one) : textOfTold(one, colours);
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain", { signal }).catch(() => undefined);
    if (one.at === "event") left -= 1;
    if (left <= 0) return;
  }
}

function agentOrType(text: string): NonNullable<TailFlags["agent"]> {
  const slash = text.indexOf("/");
  if (slash > 0) return { type: text.slice(0, slash), key: text.slice(slash + 1) };
  if (text !== "" && slash < 0) return { type: text };
  throw new InvalidArgumentError("Not an agent: write a type, or type/key, such as counter/7.");
}
