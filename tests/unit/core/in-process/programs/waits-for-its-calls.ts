// Makes calls with time limits and does nothing else: the process lives as long as one of them is pending.
import { AgentId, BaseAgent, SingleThreadedAgentRuntime } from "troupe";

class Answerer extends BaseAgent {
  protected override onMessageImpl(message: unknown): unknown {
    return message === "answer" ? "answered" : new Promise(() => undefined);
  }
}

const runtime = new SingleThreadedAgentRuntime({ defaultTimeoutMs: 3_600_000 });
await runtime.registerFactory("answerer", () => new Answerer("answers or not"));
runtime.start();
const answerer = new AgentId("answerer", "k");

console.log(await runtime.sendMessage("answer", answerer));
const silent = runtime.sendMessage("no answer", answerer, { timeoutMs: 50 });
console.log(await silent.catch((error: { code: string }) => error.code));
console.log(await runtime.sendMessage("answer", answerer));
