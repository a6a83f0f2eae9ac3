// The target process: `target ADDRESS`. Serves the agent type `target`, which streams parts, or publishes them as events.
import { handlerTable, RoutedAgent, TopicId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { AskEvents, AskParts, content, Part, Whole } from "./messages.ts";

class Target extends RoutedAgent {
  static override readonly handlers = handlerTable<Target>()
    .rpc(AskParts, async function* ({ parts }) {
      for (let at = 0; at < parts; at += 1) yield Part({ content });
      return Whole({ parts });
    })
    .rpc(AskEvents, async function ({ parts, topic }) {
      for (let at = 0; at < parts; at += 1) await this.publishMessage(Part({ content }), new TopicId(topic, "reader"));
      return Whole({ parts });
    });
}

const [address = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
runtime.addMessageSerializer(Part);
await Target.register(runtime, "target", () => new Target("streams"));
endWithBenchmark();
tell("ready");
