// Many replies of NATS: `nats target ADDRESS | reader ADDRESS`. Raw bytes, no JSON, no grants.
import { connect, createInbox } from "@nats-io/transport-node";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { partsPerStream } from "./messages.ts";
import { serveStreamRounds } from "./stream-rounds.ts";

const [role = "", address = ""] = process.argv.slice(2);
const connection = await connect({ servers: address });
const part = new Uint8Array(100).fill(120);

if (role === "target") {
  connection.subscribe("target", {
    callback: (_error, message) => {
      for (let at = 0; at < partsPerStream; at += 1) message.respond(part);
    },
  });
  await connection.flush();
  endWithBenchmark();
  tell("ready");
} else {
  await serveStreamRounds(
    (onPart) =>
      new Promise<void>((resolve) => {
        const inbox = createInbox();
        let left = partsPerStream;
        connection.subscribe(inbox, {
          max: partsPerStream,
          callback: () => {
            onPart();
            left -= 1;
            if (left === 0) resolve();
          },
        });
        connection.publish("target", undefined, { reply: inbox });
      }),
  );
}
