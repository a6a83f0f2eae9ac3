// Compiled without the types of Node and of browsers: what a program for another platform sees.
import { AgentId, classMessage, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
import type {} from "troupe/context";
import type {} from "troupe/protobuf";
import type {} from "troupe/protocol";
import type {} from "troupe/storage";
import type {} from "troupe/telemetry";

class Ask {
  readonly question: string;

  constructor(question: string) {
    this.question = question;
  }
}
const AskMessage = classMessage("Ask", Ask, { answer: undefined });

class Echo extends RoutedAgent {
  static override readonly handlers = handlerTable<Echo>().message(AskMessage, (ask, { signal }) => {
    signal.throwIfAborted();
    return ask;
  });
}

const runtime = new SingleThreadedAgentRuntime();
await runtime.start();
await Echo.register(runtime, "echo", () => new Echo("echoes"));
await runtime.sendMessage(new Ask("why?"), new AgentId("echo", "1"), { signal: undefined });
await runtime.stop();
