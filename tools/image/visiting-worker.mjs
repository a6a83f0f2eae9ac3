// A worker at the host of the image, by TLS and a token: it serves an agent, and calls it by the host. check-image.mjs runs it.
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";

const any = { "~standard": { version: 1, vendor: "check", validate: (value) => ({ value }) } };
const Said = defineMessage("Said", any);
const Say = defineMessage("Say", any, { answer: Said });
class Greeter extends RoutedAgent {
  static handlers = handlerTable().rpc(Say, ({ name }) => Said({ text: `hello, ${name}` }));
}
const runtime = new GrpcWorkerAgentRuntime("localhost:50051", {
  channelOptions: {
    tls: { caFile: "/etc/troupe/ca.crt" },
    metadata: { authorization: "Bearer ada-has-a-token-0123456789" },
  },
});
await runtime.start();
await Greeter.register(runtime, "greeter", () => new Greeter("greets"));
const { text } = await runtime.sendMessage(Say({ name: "ada" }), new AgentId("greeter", "1"), { timeoutMs: 10_000 });
console.log(text);
await runtime.stop();
