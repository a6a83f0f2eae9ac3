// Hello: a greeter agent answers a call, and the answer is typed. Shows a host, a worker and a call, all in this process to keep it
// short. In production, the host is `troupe host` and every worker has its own process: see ../two-workers.
import assert from "node:assert/strict";
import { AgentId, defineMessage, type MessageOf, RoutedAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { z } from "zod";

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });

class Greeter extends RoutedAgent {
  @rpc(AskToGreet)
  greet(ask: MessageOf<typeof AskToGreet>) {
    return Greeting({ content: `Hello, ${ask.name}!` });
  }
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
await using runtime = new GrpcWorkerAgentRuntime(host.address);
await runtime.start();
await Greeter.register(runtime, "greeter", () => new Greeter("greets people"));

const greeting = await runtime.sendMessage(AskToGreet({ name: "Ada" }), new AgentId("greeter", "default"));

console.log(`The greeter at ${host.address} says: ${greeting.content}`);
assert.equal(greeting.content, "Hello, Ada!");
