import assert from "node:assert/strict";
import { AgentId, defineMessage, type MessageOf, RoutedAgent, rpc, SingleThreadedAgentRuntime } from "troupe";
import { z } from "zod";

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

class Greeter extends RoutedAgent {
  @rpc(AskToGreet)
  greet(ask: MessageOf<typeof AskToGreet>) {
    return Greeting({ content: `Hello, ${ask.name}!` });
  }
}

async function main() {
  const runtime = new SingleThreadedAgentRuntime();
  runtime.start();
  await Greeter.register(runtime, "greeter", () => new Greeter("greets people"));
  const greeting = await runtime.sendMessage(AskToGreet({ name: "Ada" }), new AgentId("greeter", "default"));
  assert.equal(greeting.content, "Hello, Ada!");
  await runtime.stop();
}

void main();
