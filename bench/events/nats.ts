// NATS with its own client: `nats publisher ADDRESS WORKERS | worker ADDRESS INDEX AGENTS`. A connection for each worker, a
// subscription for each agent. Raw bytes, no agents, no JSON.
import { connect } from "@nats-io/transport-node";
import { Progress } from "./progress.ts";
import { servePublishRounds } from "./publish-rounds.ts";
import { progressOf, rawNews, rawProgress, sentNsOf } from "./raw-news.ts";
import { Tally } from "./tally.ts";

const [role = "", address = "", ...numbers] = process.argv.slice(2);
const connection = await connect({ servers: address });

if (role === "publisher") {
  const [workers = 0] = numbers.map(Number);
  const progress = new Progress(workers);
  connection.subscribe("progress", {
    callback: (_error, { data }) => {
      const { worker, events } = progressOf(data);
      progress.take(worker, events);
    },
  });
  await connection.flush();
  await servePublishRounds(progress, (sentNs) => connection.publish("news", rawNews(sentNs)));
} else {
  const [index = 0, agents = 0] = numbers.map(Number);
  const tally = new Tally(agents, (events) => connection.publish("progress", rawProgress(index, events)));
  for (let agent = 0; agent < agents; agent += 1) {
    connection.subscribe("news", { callback: (_error, { data }) => tally.add(sentNsOf(data)) });
  }
  await connection.flush();
  await tally.serve();
}
