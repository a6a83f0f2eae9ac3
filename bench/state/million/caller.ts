// The caller: `caller ADDRESS`. With each command it adds 1 to agents from one number to another, and checks their totals.
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { commands, tell } from "../../support/peer-commands.ts";
import { Add, Total } from "../calls/messages.ts";

interface Command {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  /** The total that each agent must have then. */
  readonly total: number;
}

const [address = ""] = process.argv.slice(2);
const sender = new AgentId("caller", "1");
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
runtime.addMessageSerializer([Add, Total]);
tell("ready");
for await (const { from, to, step, total } of commands<Command>()) {
  const startMs = performance.now();
  let next = from;
  let wrong = 0;
  const callSome = async () => {
    for (; next < to; ) {
      next += step;
      const answer = await runtime.sendMessage(Add({ value: 1 }), new AgentId("counter", `a${next - step}`), {
        sender,
      });
      if (!(answer instanceof Object) || !("value" in answer) || answer.value !== total) wrong += 1;
    }
  };
  await Promise.all(Array.from({ length: 256 }, callSome));
  tell("called", { perSecond: (to - from) / step / ((performance.now() - startMs) / 1_000), wrong });
}
process.exit(0);
