// The worker process: joins the host named on the command line and serves the agent type `oracle` until SIGTERM.
import { type MessageContext, type MessageOf, RoutedAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { Answer, Question } from "./messages.ts";

class Oracle extends RoutedAgent {
  @rpc(Question)
  answer(question: MessageOf<typeof Question>, context: MessageContext) {
    const asker = context.sender === undefined ? "stranger" : context.sender.type;
    return Answer({ text: `Dear ${asker}, "${question.text}" is a good question. (process ${process.pid})` });
  }
}

const [address = "127.0.0.1:50051"] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Oracle.register(runtime, "oracle", () => new Oracle("answers questions"));
const stopped = runtime.stopWhenSignal();
process.send?.("ready");
await stopped;
