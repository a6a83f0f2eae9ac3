// The caller of shared agents: `caller ADDRESS`. With each command it calls agents once, 256 at a time.
import { AgentId, TroupeError } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { commands, tell } from "../../support/peer-commands.ts";
import { Add, Total } from "../calls/messages.ts";

const [address = ""] = process.argv.slice(2);
const sender = new AgentId("caller", "1");
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
runtime.addMessageSerializer([Add, Total]);
tell("ready");
for await (const { type, count } of commands<{ readonly type: string; readonly count: number }>()) {
  const startMs = performance.now();
  let next = 0;
  const callSome = async () => {
    for (; next < count; ) {
      next += 1;
      await call(new AgentId(type, String(next - 1)));
    }
  };
  await Promise.all(Array.from({ length: 256 }, callSome));
  tell("called", { ms: performance.now() - startMs });
}
process.exit(0);

/** Calls an agent, and again while the host does not know yet that the agent's worker is gone. */
async function call(id: AgentId): Promise<void> {
  for (;;) {
    try {
      await runtime.sendMessage(Add({ value: 1 }), id, { sender });
      return;
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== "disconnected") throw error;
    }
  }
}
