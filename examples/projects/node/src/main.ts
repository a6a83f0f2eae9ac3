import assert from "node:assert/strict";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { z } from "zod";

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

class Greeter extends RoutedAgent {
  static override readonly handlers = handlerTable<Greeter>().rpc(AskToGreet, (ask) =>
    Greeting({ content: `Hello, ${ask.name}!` }),
  );
}

const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
const runtime = new GrpcWorkerAgentRuntime(host.address);
await runtime.start();
await Greeter.register(runtime, "greeter", () => new Greeter("greets people"));

const greeting = await runtime.sendMessage(AskToGreet({ name: "Ada" }), new AgentId("greeter", "default"));

console.log(`The greeter at ${host.address} says: ${greeting.content}`);
assert.equal(greeting.content, "Hello, Ada!");
await runtime.stop();
await host.stop();
