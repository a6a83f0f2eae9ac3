// Awaits a call that gets no answer, and has no other work: it must not end before the runtime has said why.
import { AgentId, BaseAgent, defineMessage, SingleThreadedAgentRuntime } from "troupe";
import { z } from "zod";

const Say = defineMessage("Say", z.object({}));

class Silent extends BaseAgent {
  protected override onMessageImpl(): unknown {
    return new Promise(() => undefined);
  }
}

const [, , fault] = process.argv;
const runtime = new SingleThreadedAgentRuntime();
await runtime.registerFactory("silent", () => new Silent("never answers"));
const send = () => runtime.sendMessage(Say({}), new AgentId("silent", "k"));

if (fault === "start-forgotten") await send();
if (fault === "sent-after-stop") {
  await runtime.start();
  await runtime.stop();
  await send();
}
if (fault === "awaits-idle") {
  await runtime.start();
  send().catch(() => undefined);
  await runtime.stopWhenIdle();
}
if (fault === "stopped-under-way") {
  await runtime.start();
  const call = send();
  await new Promise((resolve) => setImmediate(resolve));
  await runtime.stop();
  await call;
}
