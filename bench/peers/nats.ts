// NATS with its own client: `nats target ADDRESS | caller ADDRESS`. Raw bytes, no agents, no JSON.
import { connect } from "@nats-io/transport-node";
import { endWithBenchmark, serveCallRounds } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";

const [role = "", address = ""] = process.argv.slice(2);
const connection = await connect({ servers: address });

if (role === "target") {
  connection.subscribe("target", { callback: (_error, message) => void message.respond(message.data) });
  await connection.flush();
  endWithBenchmark();
  tell("ready");
} else {
  await serveCallRounds((payloadBytes) => {
    const payload = new Uint8Array(payloadBytes).fill(120);
    return () => connection.request("target", payload, { timeout: 60_000 });
  });
}
