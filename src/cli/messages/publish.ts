import { Command, InvalidArgumentError } from "commander";
import { errorText, jsonContentType, loggableText, TopicId } from "../../core/internal.ts";
import { addClientFlags, type ClientFlags } from "../client/client-flags.ts";
import { messageFailure, openClient } from "../client/open-client.ts";
import { type PrintFlags, print } from "../printing.ts";
import { settingsHelp } from "../settings/config-flags.ts";
import { type DataFlags, messageOf } from "./message-data.ts";

interface PublishFlags extends PrintFlags, ClientFlags, DataFlags {
  readonly durable: boolean;
  readonly idempotencyKey?: string;
}

const examples = `
Examples:
  troupe publish orders/lisbon Order --data '{"amount":3}'
  troupe publish orders/lisbon Order --data @order.json --durable --idempotency-key order-17

A host does not answer an event: an event that rules or quotas refuse is seen in troupe tail and in troupe status alone. With --durable the host
says that it keeps the event, or why not.

Exit codes: 0 sent, or kept with --durable; 1 wrong use; 2 no host; 3 refused; 4 timed out`;

/** The command `troupe publish`: an event, as a worker of the caller's own would publish it. */
export function publishCommand(): Command {
  return addClientFlags(
    new Command("publish")
      .description("Publish an event on a topic")
      .argument("<topic>", "type/source", parseTopic)
      .argument("<message>", "the type of the message, as its handlers declare it")
      .option("--data <json>", "the message as JSON; @FILE: from a file; -: from standard input", "{}")
      .option("--content-type <type>", "of the data; other data than JSON goes as it is", jsonContentType)
      .option("--durable", "have the host keep the event for agents with a durable subscription", false)
      .option("--idempotency-key <key>", "a name for a durable event: published again, it is kept once")
      .option("--json", "print JSON", false),
  )
    .addHelpText("after", `${examples}\n${settingsHelp("client")}`)
    .action(async (topic: TopicId, messageType: string, flags: PublishFlags) => {
      const message = messageOf(messageType, flags);
      const client = await openClient(flags);
      try {
        await client
          .publishMessage(message, topic, {
            ...(flags.durable && { delivery: "durable" }),
            ...(flags.idempotencyKey !== undefined && { idempotencyKey: flags.idempotencyKey }),
          })
          .catch((error: unknown) => {
            throw messageFailure(error);
          });
      } finally {
        // The worker hands the event to the host before it leaves.
        await client.stop();
      }
      const done = { topic: topic.toString(), isKept: flags.durable };
      print(
        flags,
        done,
        () => `${flags.durable ? "kept" : "sent"} ${loggableText(messageType)} on ${loggableText(done.topic)}`,
      );
    });
}

/** Reads `type/source`. */
function parseTopic(text: string): TopicId {
  try {
    return TopicId.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
}
