import process from "node:process";
import { Command } from "commander";
import { AgentId, type AgentName, jsonContentType, loggableText } from "../../core/internal.ts";
import { addClientFlags, type ClientFlags } from "../client/client-flags.ts";
import { messageFailure, openClient } from "../client/open-client.ts";
import { type PrintFlags, parseAgent, print } from "../printing.ts";
import { progressOn } from "../progress.ts";
import { settingsHelp } from "../settings/config-flags.ts";
import { wholeNumber } from "../whole-number.ts";
import { type DataFlags, messageOf, shownAnswer, textOfAnswer } from "./message-data.ts";

interface SendFlags extends PrintFlags, ClientFlags, DataFlags {
  readonly timeoutMs: number;
  readonly waitMs: number;
  readonly idempotencyKey?: string;
}

const examples = `
Examples:
  troupe send writer/7 Draft --data '{"topic":"rain"}'
  echo '{"topic":"rain"}' | troupe send writer/7 Draft --data -
  troupe send writer/7 Draft --data @draft.json --address agents.example:443 --tls --token-file token

Exit codes: 0 answered, 1 wrong use, 2 no host, 3 refused, 4 timed out, 5 the handler has failed, 6 no worker serves the agent`;

/** The command `troupe send`: a call, as a worker of the caller's own would make it. */
export function sendCommand(): Command {
  return addClientFlags(
    new Command("send")
      .description("Call an agent and print its answer")
      .argument("<agent>", "type/key", parseAgent)
      .argument("<message>", "the type of the message, as its handler declares it")
      .option("--data <json>", "the message as JSON; @FILE: from a file; -: from standard input", "{}")
      .option("--content-type <type>", "of the data; other data than JSON goes as it is", jsonContentType)
      .option("--timeout-ms <ms>", "how long the answer may take", wholeNumber(1, 86_400_000), 60_000)
      .option("--wait-ms <ms>", "how long to wait for a worker that serves the agent", wholeNumber(0, 86_400_000), 0)
      .option("--idempotency-key <key>", "a name for the call: sent again, it gets the same answer and runs once")
      .option("--json", "print the answer with its type and time as JSON", false),
  )
    .addHelpText("after", `${examples}\n${settingsHelp("client")}`)
    .action(async ({ type, key }: AgentName, messageType: string, flags: SendFlags) => {
      const message = messageOf(messageType, flags);
      const progress = progressOn();
      progress.say("connecting…");
      try {
        const client = await openClient(flags);
        try {
          progress.say("waiting for the answer…");
          const beganMs = performance.now();
          const answer = await client
            .sendMessage(message, new AgentId(type, key), {
              ...{ timeoutMs: flags.timeoutMs, idempotencyKey: flags.idempotencyKey },
              ...(flags.waitMs > 0 && { waitForTarget: flags.waitMs }),
            })
            .catch((error: unknown) => {
              throw messageFailure(error);
            });
          const ms = Math.round(performance.now() - beganMs);
          progress.done();
          const shown = shownAnswer(answer);
          print(flags, { agent: `${type}/${key}`, ms, ...shown }, () => textOfAnswer(shown));
          if (shown.messageType === null && shown.data === null)
            process.stderr.write(`${emptyAnswer(type, key, messageType)}\n`);
        } finally {
          await client.stop();
        }
      } finally {
        progress.done();
      }
    });
}

function emptyAnswer(type: string, key: string, messageType: string): string {
  const agent = `${loggableText(type)}/${loggableText(key)}`;
  return `${agent} has answered with nothing. If you expect an answer, see that its handler takes messages of the type ${loggableText(messageType)}.`;
}
