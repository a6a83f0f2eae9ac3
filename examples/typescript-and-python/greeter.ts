import { AgentId, defineMessage, type MessageOf, RoutedAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

class Greeter extends RoutedAgent {
  @rpc(AskToGreet)
  async greet(ask: MessageOf<typeof AskToGreet>) {
    const french = await this.sendMessage(ask, new AgentId("french_greeter", "default")); // a Python agent answers
    return Greeting({ content: `Hello, ${ask.name}! ${french.content}` });
  }
}

const runtime = new GrpcWorkerAgentRuntime(process.argv[2] ?? "127.0.0.1:50051");
await runtime.start();
await Greeter.register(runtime, "greeter", () => new Greeter("greets in English, and has a colleague"));
const stopped = runtime.stopWhenSignal();
console.log("the TypeScript greeter is ready");
await stopped;
