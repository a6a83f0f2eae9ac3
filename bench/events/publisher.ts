// The publisher's process: `publisher ADDRESS WORKERS`. It gets the workers' progress as an agent.
import { AgentId, handlerTable, RoutedAgent, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { content, News, Progressed } from "./messages.ts";
import { Progress } from "./progress.ts";
import { servePublishRounds } from "./publish-rounds.ts";

const [address = "", workers = ""] = process.argv.slice(2);
const progress = new Progress(Number(workers));

class Publisher extends RoutedAgent {
  static override readonly handlers = handlerTable<Publisher>().event(Progressed, ({ worker, events }) => {
    progress.take(worker, events);
  });
}

const topic = new TopicId("news", "1");
const sender = new AgentId("publisher", "1");
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Publisher.register(runtime, "publisher", () => new Publisher("publishes"));
await runtime.addSubscription(new TypeSubscription("progress", "publisher"));
runtime.addMessageSerializer(News);
await servePublishRounds(progress, (sentNs) => runtime.publishMessage(News({ sentNs, content }), topic, { sender }));
