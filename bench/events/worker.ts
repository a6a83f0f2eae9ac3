// A worker's process: `worker ADDRESS INDEX AGENTS`. Its agents are of a type each, all subscribed to the one topic.
import { handlerTable, RoutedAgent, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { News, Progressed } from "./messages.ts";
import { Tally } from "./tally.ts";

const [address = "", indexText = "", agentsText = ""] = process.argv.slice(2);
const [index, agents] = [Number(indexText), Number(agentsText)];

class Reader extends RoutedAgent {
  static override readonly handlers = handlerTable<Reader>().event(News, ({ sentNs }) => tally.add(sentNs));
}

const topic = new TopicId("progress", "1");
const runtime = new GrpcWorkerAgentRuntime(address);
const tally = new Tally(agents, (events) => void runtime.publishMessage(Progressed({ worker: index, events }), topic));
await runtime.start();
runtime.addMessageSerializer(Progressed);
for (let agent = index * agents; agent < (index + 1) * agents; agent += 1) {
  await Reader.register(runtime, `agent${agent}`, () => new Reader("reads"));
  await runtime.addSubscription(new TypeSubscription("news", `agent${agent}`));
}
await tally.serve();
