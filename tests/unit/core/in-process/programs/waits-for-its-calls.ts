// Makes calls with time limits and does nothing else: the process lives as long as one of them is pending.
import { AgentId, BaseAgent, defineMessage, SingleThreadedAgentRuntime } from "troupe";
import { z } from "zod";

const Said = defineMessage("Said", z.object({ text: z.string() }));
const Say = defineMessage("Say", z.object({ text: z.string() }), { answer: Said });

class Answerer extends BaseAgent {
  protected override onMessageImpl(message: { readonly text: string }): unknown {
    return message.text === "" ? new Promise(() => undefined) : Said({ text: message.text });
  }
}

const runtime = new SingleThreadedAgentRuntime({ defaultTimeoutMs: 3_600_000 });
await runtime.registerFactory("answerer", () => new Answerer("answers or not"));
await runtime.start();
const answerer = new AgentId("answerer", "k");

console.log((await runtime.sendMessage(Say({ text: "answered" }), answerer)).text);
const silent = runtime.sendMessage(Say({ text: "" }), answerer, { timeoutMs: 50 });
console.log(await silent.catch((error: { code: string }) => error.code));
console.log((await runtime.sendMessage(Say({ text: "answered" }), answerer)).text);
